"""Neural networks, which know the shapes of images and latents and nothing else."""

from reslag_vae.networks.base import Network
from reslag_vae.networks.plain import PlainNetwork
from reslag_vae.networks.residual import LightResidualNetwork, ResidualNetwork

__all__ = ["LightResidualNetwork", "Network", "PlainNetwork", "ResidualNetwork"]
