"""The lagging VAE."""

from reslag_vae.training.system import BaseVAE


class LaggingVAE(BaseVAE):
    """A VAE that starts with several encoder updates for each decoder update.

    He et al. 2019, https://arxiv.org/abs/1901.05534.
    """

    name = "lagging"
    title = "Lagging VAE"
    requires = frozenset({"lagging", "divergence"})
