"""A network whose decoder is one linear layer, for likelihoods that are strong decoders."""

from typing import ClassVar

from torch import Tensor, nn

from reslag_vae.networks.base import ImageShape, Network, check_sizes
from reslag_vae.networks.plain import plain_encoder


class LinearNetwork(Network):
    """The plain encoder, and one linear layer from the latents to the likelihood's parameters.

    Made for likelihood=pixelcnn: He et al. 2019, https://arxiv.org/abs/1901.05534, give their
    PixelCNN features of every pixel; Gulrajani et al. 2017, https://arxiv.org/abs/1611.05013,
    section 4.1, also the same ones at every pixel ("no upsampling").

    Args:
        image_shape: (C, H, W) of the images.
        latent_dim: d, the number of latent dimensions.
        channels: channels of each stage of the encoder, from the image inwards.
        blocks: convolution blocks of each stage.
        per_pixel: whether every pixel has parameters of its own; False gives all the same.
        parameters_per_latent: 2 for mean and log-variance, 1 for a deterministic code.
        parameters_per_channel: the likelihood's numbers for each channel of a pixel.
        conditions: numbers that a conditional model's decoder is given beside the latent.

    Raises:
        ValueError: the latent is not smaller than the image, or the stages do not fit it.
    """

    name: ClassVar[str] = "linear"

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int,
        channels: list[int],
        blocks: list[int],
        per_pixel: bool = True,
        parameters_per_latent: int = 2,
        parameters_per_channel: int = 1,
        conditions: int = 0,
    ) -> None:
        check_sizes(image_shape, latent_dim, channels, blocks)
        parameters = latent_dim * parameters_per_latent
        outputs = image_shape[0] * parameters_per_channel
        super().__init__(
            plain_encoder(image_shape, parameters, channels, blocks),
            LinearDecoder(latent_dim + conditions, outputs, image_shape[1:], per_pixel),
            image_shape,
            latent_dim,
            parameters_per_latent,
            parameters_per_channel,
            conditions,
        )


class LinearDecoder(nn.Module):
    """A linear layer from (B, d) latents to (B, outputs, H, W)."""

    def __init__(
        self, latent_dim: int, outputs: int, size: tuple[int, int], per_pixel: bool
    ) -> None:
        super().__init__()
        self.size = size
        self.layer = nn.Sequential(
            nn.Linear(latent_dim, outputs * (size[0] * size[1] if per_pixel else 1)),
            nn.Unflatten(1, (outputs, *(size if per_pixel else (1, 1)))),
        )

    def forward(self, latents: Tensor) -> Tensor:
        """Return (B, outputs, H, W) parameters of (B, d) latents."""
        parameters: Tensor = self.layer(latents)
        return parameters.expand(-1, -1, *self.size)
