"""Models: a network, latents and a likelihood that infer, generate, encode, decode and sample."""

from reslag_vae.models.bidirectional import BidirectionalModel
from reslag_vae.models.condition import Condition
from reslag_vae.models.flat import FlatModel
from reslag_vae.models.generative import GenerativeModel
from reslag_vae.models.hierarchical import HierarchicalModel
from reslag_vae.models.latent_free import LatentFree
from reslag_vae.models.shared import SharedModel
from reslag_vae.models.two_codes import TwoCodesModel

__all__ = [
    "BidirectionalModel",
    "Condition",
    "FlatModel",
    "GenerativeModel",
    "HierarchicalModel",
    "LatentFree",
    "SharedModel",
    "TwoCodesModel",
]
