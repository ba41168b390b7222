"""Lagging VAE."""

from reslag_vae.training.system import BaseVAE


class LaggingVAE(BaseVAE):
    """He et al. 2019, https://arxiv.org/abs/1901.05534: at first several encoder updates for each decoder update."""

    name = "lagging"
    title = "Lagging VAE"
    requires = frozenset({"lagging", "divergence"})
