"""VQ-VAE by finite scalar quantisation."""

from reslag_vae.training.system import BaseVAE


class FSQVAE(BaseVAE):
    """Mentzer et al. 2024, https://arxiv.org/abs/2309.15505: codes that are rounded numbers."""

    name = "fsq_vae"
    title = "FSQ-VAE"
    requires = frozenset({"codes", "rounded", "elbo"})
