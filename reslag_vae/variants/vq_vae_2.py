"""VQ-VAE-2."""

from reslag_vae.training.system import BaseVAE


class VQVAE2(BaseVAE):
    """Razavi et al. 2019, https://arxiv.org/abs/1906.00446: two grids of codes, top and bottom.

    The bottom's are encoded given the top's. Here with the networks' usual blocks, under any
    likelihood and with any codes, by default those of a codebook; theirs is of variance 1
    (objective=elbo).
    """

    name = "vq_vae_2"
    title = "VQ-VAE-2"
    requires = frozenset({"codes", "two_levels", "elbo"})
