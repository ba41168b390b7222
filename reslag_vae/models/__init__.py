"""Models: a network, latents and a likelihood that infer, generate, encode, decode and sample."""

from reslag_vae.models.flat import FlatModel
from reslag_vae.models.generative import GenerativeModel

__all__ = ["FlatModel", "GenerativeModel"]
