"""A PixelCNN without latents."""

from reslag_vae.training.system import BaseVAE


class PixelCNNModel(BaseVAE):
    """van den Oord et al. 2016, https://arxiv.org/abs/1606.05328: the likelihood alone.

    It is the control of every system whose decoder is a PixelCNN: what the latent adds is the
    difference. Its ELBO is its log-likelihood.
    """

    name = "pixelcnn"
    title = "PixelCNN, no latent"
    usual = "elbo, pixelcnn"
    requires = frozenset({"autoregressive", "latent_free", "plain_elbo", "joint"})
