"""beta-VAE."""

from reslag_vae.training.system import BaseVAE


class BetaVAE(BaseVAE):
    """Higgins et al. 2017, https://openreview.net/pdf?id=Sy2fzU9gl: the KL weighted by hand.

    With `objective=capacity` the controlled increase of Burgess et al. 2018,
    https://arxiv.org/abs/1804.03599.
    """

    name = "beta_vae"
    title = "beta-VAE"
    usual = "beta"
    requires = frozenset({"weighted_kl"})
