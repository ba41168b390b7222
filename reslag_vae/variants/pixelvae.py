"""PixelVAE."""

from reslag_vae.training.system import BaseVAE


class PixelVAE(BaseVAE):
    """Gulrajani et al. 2017, https://arxiv.org/abs/1611.05013: a PixelCNN is the likelihood.

    The latent tells what the image shows, the PixelCNN how its pixels follow from each other. With
    one level of latents.
    """

    name = "pixelvae"
    title = "PixelVAE"
    usual = "elbo, pixelcnn"
    requires = frozenset({"autoregressive", "divergence"})
