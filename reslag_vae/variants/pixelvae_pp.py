"""PixelVAE++."""

from reslag_vae.training.system import BaseVAE


class PixelVAEPlusPlus(BaseVAE):
    """Sadeghi et al. 2019, https://arxiv.org/abs/1908.09948: PixelVAE with a discrete prior.

    Of its title and abstract are the discrete prior, the PixelCNN++ for a decoder, of which a part
    is the encoder's, and the three types of latents. What these do not say is ours: binary units
    with straight-through gradients under a restricted Boltzmann machine that is small enough to be
    summed exactly, a Gaussian vector and a Gaussian map of places; that the levels are independent;
    that the encoder has the decoder's first half, whose short-cuts have no strides, and a head that
    sees the image too; all sizes.
    """

    name = "pixelvae_pp"
    title = "PixelVAE++"
    usual = "elbo, pixelcnn_pp"
    requires = frozenset({"autoregressive", "shared_half", "divergence"})
