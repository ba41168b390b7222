"""The deterministic autoencoder."""

from reslag_vae.training.system import BaseVAE


class AutoEncoder(BaseVAE):
    """A deterministic autoencoder, trained with the squared error.

    Its reconstruction is the benchmark: every variational model gives up some of it. With
    `objective=mmd` and alpha 1 it is the Wasserstein autoencoder (Tolstikhin et al. 2018,
    https://arxiv.org/abs/1711.01558).
    """

    name = "autoencoder"
    title = "AutoEncoder"
    usual = "reconstruction"
    requires = frozenset({"point"})
