"""A prior over codes that is fitted after training."""

from reslag_vae.variants.fitted_prior import FittedPrior


class CodePriorModel(FittedPrior):
    """The second stage of van den Oord et al. 2017, https://arxiv.org/abs/1711.00937, section 3.3.

    The prior is a PixelCNN over the codes of a trained run; of two levels, one over the top's codes
    and one over the bottom's given the top's (Razavi et al. 2019,
    https://arxiv.org/abs/1906.00446, section 3.2). The distortion and what the codes cost are then
    together a bound on -log p(x).
    """

    name = "code_prior"
    title = "Code prior"
    requires = FittedPrior.requires | {"codes"}
