"""A network whose decoder sees the latent in every layer."""

from typing import ClassVar

from torch import Tensor, nn

from reslag_vae.networks.base import ImageShape
from reslag_vae.networks.plain import StagedNetwork, seed_features, up_stages


class SkipDecoder(nn.Module):
    """A module from (B, d) latents to (B, outputs, H, W), the latent into every convolution."""

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int,
        channels: list[int],
        blocks: list[int],
        outputs: int,
    ) -> None:
        super().__init__()
        self.seed = seed_features(image_shape, latent_dim, channels)
        stages = up_stages(image_shape, channels, blocks, outputs)
        self.layers = nn.ModuleList(layer for stage in stages for layer in stage)
        self.skips = nn.ModuleDict(
            {
                str(position): nn.Linear(latent_dim, layer.in_channels, bias=False)
                for position, layer in enumerate(self.layers)
                if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
            }
        )

    def forward(self, latents: Tensor) -> Tensor:
        """Return (B, outputs, H, W) parameters of (B, d) latents."""
        features: Tensor = self.seed(latents)
        for position, layer in enumerate(self.layers):
            if str(position) in self.skips:
                features = features + self.skips[str(position)](latents)[:, :, None, None]
            features = layer(features)
        return features


class SkipNetwork(StagedNetwork):
    """The plain network, with the latent added to the input of every convolution of the decoder.

    Dieng et al. 2019, https://arxiv.org/abs/1807.04863, section 3: a linear map of the latent, of
    its own for each layer and the same at every pixel, so that no layer can lose it.
    """

    name: ClassVar[str] = "skip"
    provides = frozenset({"skip"})
    decoder = staticmethod(SkipDecoder)
