"""The variants, each a named combination of a network, an objective and a schedule."""

from reslag_vae.variants.autoencoder import AutoEncoder
from reslag_vae.variants.beta_vae import BetaVAE
from reslag_vae.variants.biva import BIVA
from reslag_vae.variants.code_prior import CodePriorModel
from reslag_vae.variants.f_vae import FVAE
from reslag_vae.variants.fitted_prior import FittedPrior
from reslag_vae.variants.fsq_vae import FSQVAE
from reslag_vae.variants.ladder_vae import LadderVAE
from reslag_vae.variants.lagging import LaggingVAE
from reslag_vae.variants.mmd_infovae import MMDInfoVAE
from reslag_vae.variants.optimal_sigma import OptimalSigmaVAE
from reslag_vae.variants.pixelcnn import PixelCNNModel
from reslag_vae.variants.pixelvae import PixelVAE
from reslag_vae.variants.pixelvae_pp import PixelVAEPlusPlus
from reslag_vae.variants.reslag import ResLagVAE
from reslag_vae.variants.reslag_deep import ResLagDeepVAE
from reslag_vae.variants.reslag_light import ResLagLightVAE
from reslag_vae.variants.skip_vae import SkipVAE
from reslag_vae.variants.vae import VAE
from reslag_vae.variants.vdvae import VDVAE
from reslag_vae.variants.vq_vae import VQVAE
from reslag_vae.variants.vq_vae_2 import VQVAE2

__all__ = [
    "BIVA",
    "FSQVAE",
    "FVAE",
    "VAE",
    "VDVAE",
    "VQVAE",
    "VQVAE2",
    "AutoEncoder",
    "BetaVAE",
    "CodePriorModel",
    "FittedPrior",
    "LadderVAE",
    "LaggingVAE",
    "MMDInfoVAE",
    "OptimalSigmaVAE",
    "PixelCNNModel",
    "PixelVAE",
    "PixelVAEPlusPlus",
    "ResLagDeepVAE",
    "ResLagLightVAE",
    "ResLagVAE",
    "SkipVAE",
]
