"""Neural networks, which know the shapes of images and latents and nothing else."""

from reslag_vae.networks.base import Network
from reslag_vae.networks.biva import BivaNetwork
from reslag_vae.networks.grid import GridNetwork
from reslag_vae.networks.ladder import LadderNetwork
from reslag_vae.networks.linear import LinearNetwork
from reslag_vae.networks.plain import PlainNetwork
from reslag_vae.networks.residual import LightResidualNetwork, ResidualNetwork
from reslag_vae.networks.residual_deep import DeepResidualNetwork
from reslag_vae.networks.shared import SharedNetwork
from reslag_vae.networks.skip import SkipNetwork
from reslag_vae.networks.two_grids import TwoGridNetwork
from reslag_vae.networks.vdvae import VeryDeepNetwork

__all__ = [
    "BivaNetwork",
    "DeepResidualNetwork",
    "GridNetwork",
    "LadderNetwork",
    "LightResidualNetwork",
    "LinearNetwork",
    "Network",
    "PlainNetwork",
    "ResidualNetwork",
    "SharedNetwork",
    "SkipNetwork",
    "TwoGridNetwork",
    "VeryDeepNetwork",
]
