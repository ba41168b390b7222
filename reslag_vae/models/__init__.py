"""The variants: each the named meeting of a network, an objective and a schedule."""

from reslag_vae.models.autoencoder import AutoEncoder
from reslag_vae.models.base import BaseVAE
from reslag_vae.models.beta_vae import BetaVAE
from reslag_vae.models.evaluated_model import EVALUATION_SEED
from reslag_vae.models.lagging import LaggingVAE
from reslag_vae.models.mmd_infovae import MMDInfoVAE
from reslag_vae.models.optimal_sigma import OptimalSigmaVAE
from reslag_vae.models.reslag import ResLagVAE
from reslag_vae.models.reslag_light import ResLagLightVAE
from reslag_vae.models.vae import VAE

__all__ = [
    "EVALUATION_SEED",
    "VAE",
    "AutoEncoder",
    "BaseVAE",
    "BetaVAE",
    "LaggingVAE",
    "MMDInfoVAE",
    "OptimalSigmaVAE",
    "ResLagLightVAE",
    "ResLagVAE",
]
