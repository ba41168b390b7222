"""The ResLag VAE."""

from reslag_vae.training.system import BaseVAE


class ResLagVAE(BaseVAE):
    """The thesis' model: residual connections, lagging updates and a computed variance.

    The connections are within the encoder and within the decoder.
    """

    name = "reslag"
    title = "ResLag VAE"
    requires = frozenset({"residual", "lagging", "divergence"})
