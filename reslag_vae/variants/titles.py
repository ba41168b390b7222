"""What the variants are called where people read it."""

from reslag_vae.variants.autoencoder import AutoEncoder
from reslag_vae.variants.beta_vae import BetaVAE
from reslag_vae.variants.lagging import LaggingVAE
from reslag_vae.variants.mmd_infovae import MMDInfoVAE
from reslag_vae.variants.optimal_sigma import OptimalSigmaVAE
from reslag_vae.variants.reslag import ResLagVAE
from reslag_vae.variants.reslag_light import ResLagLightVAE
from reslag_vae.variants.vae import VAE

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

# The objectives of the thesis' Table 1 and of the plain variational autoencoder; that of all others
# is sigma_data.
USUAL = {"autoencoder": "reconstruction", "vae": "elbo", "beta_vae": "beta", "mmd_infovae": "mmd"}


def is_usual(model: str, objective: str) -> bool:
    """Whether the thesis gives the variant this objective."""
    return objective == USUAL.get(model, "sigma_data")


def title_of(model: str, objective: str) -> str:
    """The variant as the thesis calls it, with its objective if that is not the thesis'."""
    title = TITLES.get(model, model)
    return title if is_usual(model, objective) else f"{title}, {objective}"
