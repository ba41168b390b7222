"""The very deep VAE."""

from reslag_vae.training.system import BaseVAE


class VDVAE(BaseVAE):
    """Child 2021, https://arxiv.org/abs/2011.10650: many levels, several at each resolution, small.

    As in the paper there are no free bits and no warm-up, and nothing is normalised. Its average of
    the weights over updates is left out: numbers and pictures are of the weights as trained. The
    paper cuts gradients to a norm, and skips updates of one above a threshold; here neither is done
    unless `optimizer.clip_norm` or `optimizer.skip_above` is set, and the latter is relative to the
    norms before. Beside its sizes we change that the top level is under any prior, by default
    N(0, I), and that no latents are at the resolution of the image itself.
    """

    name = "vdvae"
    title = "VDVAE"
    usual = "elbo"
    requires = frozenset({"very_deep", "hierarchy", "elbo", "level_priors"})
