"""The deep ResLag VAE."""

from reslag_vae.training.system import BaseVAE


class ResLagDeepVAE(BaseVAE):
    """The light ResLag VAE as a hierarchy: its connections are levels of latents.

    The thesis ends by asking for residual connections, lagging updates and a computed variance in a
    deeper model. Each level is inferred and generated given those above it; with one level it is
    the light ResLag VAE under the same objective.
    """

    name = "reslag_deep"
    title = "ResLag VAE (deep)"
    usual = "sigma_optimal"
    requires = frozenset({"residual_deep", "divergence", "level_priors"})
