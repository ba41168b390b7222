"""Skip-VAE."""

from reslag_vae.training.system import BaseVAE


class SkipVAE(BaseVAE):
    """Dieng et al. 2019, https://arxiv.org/abs/1807.04863: the latent enters every decoder layer.

    With `likelihood=pixelcnn` it enters every layer of the PixelCNN too.
    """

    name = "skip_vae"
    title = "Skip-VAE"
    requires = frozenset({"skip", "divergence"})
