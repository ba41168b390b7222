"""The beta-VAE."""

from reslag_vae.training.system import BaseVAE


class BetaVAE(BaseVAE):
    """The beta-VAE, whose weight of the KL is set by hand.

    Higgins et al. 2017, https://openreview.net/pdf?id=Sy2fzU9gl. With `objective=capacity` it is
    the controlled increase of Burgess et al. 2018, https://arxiv.org/abs/1804.03599.
    """

    name = "beta_vae"
    title = "beta-VAE"
    usual = "beta"
    requires = frozenset({"weighted_kl"})
