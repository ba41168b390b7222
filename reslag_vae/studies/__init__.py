"""Sweeps that can be stopped and started at will: which runs a study has, and how far each is."""
