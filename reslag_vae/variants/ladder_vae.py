"""The Ladder VAE."""

from reslag_vae.training.system import BaseVAE


class LadderVAE(BaseVAE):
    """Sønderby et al. 2016, https://arxiv.org/abs/1602.02282: a hierarchy, merged from both sides.

    What the image says of a level and the prior that the levels above give it are multiplied, by
    their precisions. As in the paper there is batch normalisation; its warm-up (objective=warm_up)
    is replaced by free bits of each level, and its dense layers by residual blocks of convolutions.
    """

    name = "ladder_vae"
    title = "Ladder VAE"
    usual = "level_free_bits"
    requires = frozenset({"hierarchy", "elbo", "level_priors"})
