"""BIVA, the bidirectional-inference VAE."""

from reslag_vae.training.system import BaseVAE


class BIVA(BaseVAE):
    """Maaløe et al. 2019, https://arxiv.org/abs/1902.02102: latents on both ways of inference.

    A part of each level is inferred on the way up, so that the levels above are inferred from
    samples of it; and on the way down skips lead from every level to all below it. As in the paper
    the first nats are free, here of each level with both its parts. Its stages are smaller, their
    normalisation is that of batches, and no fine-tuning without free nats follows.
    """

    name = "biva"
    title = "BIVA"
    usual = "level_free_bits"
    requires = frozenset({"bidirectional", "hierarchy", "elbo", "level_priors"})
