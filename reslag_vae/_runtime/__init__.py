"""Processes, files, locks, signals and errors: nothing of autoencoders."""
