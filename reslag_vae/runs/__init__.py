"""The folder of a run: its files, configuration, checkpoints, identity, and what is built of it."""
