"""The very deep VAE."""

from reslag_vae.training.system import BaseVAE


class VDVAE(BaseVAE):
    """Child 2021, https://arxiv.org/abs/2011.10650: many levels, several at each resolution, small.

    As in the paper there are no free bits and no warm-up, and nothing is normalised. The paper
    evaluates an average of the weights over updates, cuts gradients to a norm, and skips updates of
    one above a threshold; here none of that is done unless `optimizer.ema_decay`,
    `optimizer.clip_norm` or `optimizer.skip_above` is set, and the last is relative to the norms
    before. Beside its sizes we change that the top level is under any prior, by default
    N(0, I), and that no latents are at the resolution of the image itself.
    """

    name = "vdvae"
    title = "VDVAE"
    usual = "elbo"
    requires = frozenset({"very_deep", "hierarchy", "elbo", "level_priors"})
