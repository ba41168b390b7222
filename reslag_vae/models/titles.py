"""What the variants are called where people read it."""

from reslag_vae.models.autoencoder import AutoEncoder
from reslag_vae.models.beta_vae import BetaVAE
from reslag_vae.models.lagging import LaggingVAE
from reslag_vae.models.mmd_infovae import MMDInfoVAE
from reslag_vae.models.optimal_sigma import OptimalSigmaVAE
from reslag_vae.models.reslag import ResLagVAE
from reslag_vae.models.reslag_light import ResLagLightVAE
from reslag_vae.models.vae import VAE

# In the order of the thesis' Table 1.
TITLES = {
    variant.name: variant.title
    for variant in (
        AutoEncoder,
        VAE,
        BetaVAE,
        MMDInfoVAE,
        OptimalSigmaVAE,
        LaggingVAE,
        ResLagVAE,
        ResLagLightVAE,
    )
}

# The objectives of the thesis' Table 1 and of the plain variational autoencoder; that of all others is sigma_data.
USUAL = {"autoencoder": "reconstruction", "vae": "elbo", "beta_vae": "beta", "mmd_infovae": "mmd"}


def is_usual(model: str, objective: str) -> bool:
    """Whether the thesis gives the variant this objective."""
    return objective == USUAL.get(model, "sigma_data")


def title_of(model: str, objective: str) -> str:
    """The variant as the thesis calls it, with its objective if that is not the thesis'."""
    title = TITLES.get(model, model)
    return title if is_usual(model, objective) else f"{title}, {objective}"
