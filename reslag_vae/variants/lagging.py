"""Lagging VAE."""

from reslag_vae.objectives import ELBO, MMD, Beta, Capacity, SigmaRule
from reslag_vae.training.schedules import Lagging
from reslag_vae.training.system import BaseVAE


class LaggingVAE(BaseVAE):
    """He et al. 2019, https://arxiv.org/abs/1901.05534: at first several encoder updates for each decoder update."""

    name = "lagging"
    title = "Lagging VAE"
    objectives = (ELBO, Beta, Capacity, MMD, SigmaRule)
    schedules = (Lagging,)
