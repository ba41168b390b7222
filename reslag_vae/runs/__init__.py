"""The folder of a run: its files, configuration, checkpoints, lock, identity, loading and export."""
