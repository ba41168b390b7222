"""The stages of a ladder: residual blocks that halve or double height and width."""

from torch import Tensor, nn

from reslag_vae.networks.blocks import Crop, block
from reslag_vae.networks.normalization import BatchNorm
from reslag_vae.networks.upsampling import Doubling


class Residual(nn.Module):
    """A residual block: what two convolutions make of features is added to these."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            BatchNorm(channels),
            nn.ReLU(inplace=True),
            *block(nn.Conv2d(channels, channels, 3, padding=1, bias=False), channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return (B, F, h, w) features of (B, F, h, w) features."""
        added: Tensor = self.layers(features)
        return features + added


def down(in_channels: int, out_channels: int, blocks: int) -> nn.Sequential:
    """Return a stage that halves height and width, rounded up, and has some residual blocks."""
    halving = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False)
    return nn.Sequential(
        *block(halving, out_channels), *(Residual(out_channels) for _ in range(blocks))
    )


def up(
    in_channels: int, out_channels: int, blocks: int, size: tuple[int, int], last: bool
) -> list[nn.Module]:
    """Return the layers of a stage of residual blocks that doubles height and width, and crops.

    The `last` stage ends in its convolution, without normalisation: what the likelihood is given.
    """
    layers: list[nn.Module] = [Residual(in_channels) for _ in range(blocks)]
    layers += [BatchNorm(in_channels), nn.ReLU(inplace=True)]
    layers += [Doubling(in_channels, out_channels, bias=last), Crop(size)]
    return layers if last else [*layers, BatchNorm(out_channels), nn.ReLU(inplace=True)]


def from_map(shape: tuple[int, int, int], channels: int) -> nn.Sequential:
    """Return a module from the (B, d) latents of a map to features of the map's size."""
    return nn.Sequential(
        nn.Unflatten(1, shape), nn.Conv2d(shape[0], channels, 3, padding=1, bias=False)
    )
