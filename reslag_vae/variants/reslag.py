"""ResLag VAE."""

from reslag_vae.training.system import BaseVAE


class ResLagVAE(BaseVAE):
    """The thesis' model: residual connections within each half, lagging updates, a computed variance."""

    name = "reslag"
    title = "ResLag VAE"
    requires = frozenset({"residual", "lagging", "divergence"})
