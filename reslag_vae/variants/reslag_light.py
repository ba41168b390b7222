"""The light ResLag VAE."""

from reslag_vae.training.system import BaseVAE


class ResLagLightVAE(BaseVAE):
    """The ResLag VAE with a quarter of the features in its connections."""

    name = "reslag_light"
    title = "ResLag VAE (light)"
    requires = frozenset({"residual_light", "lagging", "divergence"})
