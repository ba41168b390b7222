"""The plain variational autoencoder."""

from reslag_vae.training.system import BaseVAE


class VAE(BaseVAE):
    """Kingma & Welling 2014, https://arxiv.org/abs/1312.6114: the ELBO, with unit likelihood variance by default."""

    name = "vae"
    title = "VAE"
    usual = "elbo"
    requires = frozenset({"elbo"})
