"""The titles of the variants, as people read them."""

from reslag_vae.training.system import BaseVAE
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

# In the order of the thesis' Table 1, then strong decoders, strong priors, codes and hierarchies.
IN_ORDER: tuple[type[BaseVAE], ...] = (
    AutoEncoder,
    VAE,
    BetaVAE,
    MMDInfoVAE,
    OptimalSigmaVAE,
    LaggingVAE,
    ResLagVAE,
    ResLagLightVAE,
    SkipVAE,
    PixelVAE,
    PixelVAEPlusPlus,
    PixelCNNModel,
    FVAE,
    VQVAE,
    FSQVAE,
    VQVAE2,
    LadderVAE,
    BIVA,
    VDVAE,
    ResLagDeepVAE,
    CodePriorModel,
    FittedPrior,
)
BY_NAME = {variant.name: variant for variant in IN_ORDER}
TITLES = {variant.name: variant.title for variant in IN_ORDER}


def is_usual(model: str, objective: str) -> bool:
    """Return whether the thesis gives the variant of that name this objective."""
    return objective == BY_NAME.get(model, BaseVAE).usual


def title_of(model: str, objective: str) -> str:
    """Return the thesis' name of a variant, with its objective if that is not the usual one."""
    if model in BY_NAME:
        return BY_NAME[model].titled(objective)
    return model if is_usual(model, objective) else f"{model}, {objective}"
