"""ResLag VAE."""

from reslag_vae.networks import ResidualNetwork
from reslag_vae.objectives import ELBO, MMD, Beta, Capacity, SigmaRule
from reslag_vae.training.schedules import Lagging
from reslag_vae.training.system import BaseVAE


class ResLagVAE(BaseVAE):
    """The thesis' model: residual connections within each half, lagging updates, a computed variance."""

    name = "reslag"
    title = "ResLag VAE"
    networks = (ResidualNetwork,)
    objectives = (ELBO, Beta, Capacity, MMD, SigmaRule)
    schedules = (Lagging,)
