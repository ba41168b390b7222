"""VQ-VAE."""

from reslag_vae.training.system import BaseVAE


class VQVAE(BaseVAE):
    """van den Oord et al. 2017, https://arxiv.org/abs/1711.00937: the latent is a grid of codes.

    Here under any likelihood, by default with the thesis' variance; theirs is of variance 1
    (objective=elbo).
    """

    name = "vq_vae"
    title = "VQ-VAE"
    requires = frozenset({"codes", "codebook", "elbo"})
