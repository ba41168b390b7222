"""f-VAE."""

from reslag_vae.training.system import BaseVAE


class FVAE(BaseVAE):
    """Su & Wu 2018, https://arxiv.org/abs/1809.05861: a flow is the prior.

    As in the authors' code the decoder takes the code itself, which the flow maps to N(0, I), and
    the Gaussian likelihood's variance is a parameter. There the flow is Glow over a code that is an
    image, and all posteriors have one trained scale; here it is a flow over a vector, each
    posterior has its own variances, and the networks are those of the other variants.
    """

    name = "f_vae"
    title = "f-VAE"
    usual = "sigma_learned"
    requires = frozenset({"flow", "elbo"})
