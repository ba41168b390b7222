"""The package in Python, as in a notebook: training without Hydra's command line."""

from reslag_vae.interface.building import build
from reslag_vae.interface.fitting import fit

__all__ = ["build", "fit"]
