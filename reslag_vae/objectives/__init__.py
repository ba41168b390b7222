"""Objectives: losses that weigh the cost of images against the cost of their latents."""

from reslag_vae.objectives.base import Objective, Terms
from reslag_vae.objectives.beta import Beta
from reslag_vae.objectives.capacity import Capacity
from reslag_vae.objectives.elbo import ELBO
from reslag_vae.objectives.free_bits import FreeBits
from reslag_vae.objectives.level_free_bits import LevelFreeBits
from reslag_vae.objectives.mmd import MMD
from reslag_vae.objectives.rate import Rate
from reslag_vae.objectives.reconstruction import Reconstruction
from reslag_vae.objectives.warm_up import WarmUp

__all__ = [
    "ELBO",
    "MMD",
    "Beta",
    "Capacity",
    "FreeBits",
    "LevelFreeBits",
    "Objective",
    "Rate",
    "Reconstruction",
    "Terms",
    "WarmUp",
]
