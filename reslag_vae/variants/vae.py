"""The plain variational autoencoder."""

from reslag_vae.training.system import BaseVAE


class VAE(BaseVAE):
    """A VAE trained with the ELBO, by default with a likelihood of variance 1.

    Kingma & Welling 2014, https://arxiv.org/abs/1312.6114.
    """

    name = "vae"
    title = "VAE"
    usual = "elbo"
    requires = frozenset({"elbo"})
