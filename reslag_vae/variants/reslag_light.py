"""Light ResLag VAE."""

from reslag_vae.networks import LightResidualNetwork
from reslag_vae.objectives import ELBO, MMD, Beta, Capacity, SigmaRule
from reslag_vae.training.schedules import Lagging
from reslag_vae.training.system import BaseVAE


class ResLagLightVAE(BaseVAE):
    """ResLag VAE with a quarter of the features in its connections."""

    name = "reslag_light"
    title = "ResLag VAE (light)"
    networks = (LightResidualNetwork,)
    objectives = (ELBO, Beta, Capacity, MMD, SigmaRule)
    schedules = (Lagging,)
