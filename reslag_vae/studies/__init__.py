"""Sweeps that can be stopped and restarted: the runs of a study, and the state of each."""
