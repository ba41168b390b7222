"""The folder of a run: its files, configuration, checkpoints and identity, and what they build."""
