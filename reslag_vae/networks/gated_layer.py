"""One layer of a gated PixelCNN."""

from torch import Tensor, nn
from torch.nn import functional as F

# (B, F, H, W) features of the vertical and of the horizontal stack.
Stacks = tuple[Tensor, Tensor]


class GatedLayer(nn.Module):
    """One gated layer of both stacks.

    Args:
        inputs: channels of each stack before the layer.
        channels: F, after it.
        kernel: odd size of its field.
        context_channels: P; 0 where the layer sees no context.
        first: whether it is the first layer, which leaves out the pixel itself.
        shortcut: whether it sees the features of an earlier layer beside those of the one before.

    Attributes:
        reach: rows above, and pixels to the left, that it sees.
    """

    def __init__(
        self,
        inputs: int,
        channels: int,
        kernel: int,
        context_channels: int,
        first: bool,
        shortcut: bool = False,
    ) -> None:
        super().__init__()
        self.first, self.reach = first, kernel // 2
        # The rows or pixels before, and the own one but in the first layer.
        length = self.reach + (0 if first else 1)
        self.vertical = nn.Conv2d(inputs, 2 * channels, (length, kernel))
        self.horizontal = nn.Conv2d(inputs, 2 * channels, (1, length))
        self.between = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        self.context = (
            nn.Conv2d(context_channels, 4 * channels, 1, bias=False) if context_channels else None
        )
        self.shortcut = Shortcut(channels) if shortcut else None

    def forward(
        self,
        vertical: Tensor,
        horizontal: Tensor,
        context: Tensor,
        earlier: Stacks | None = None,
    ) -> Stacks:
        """Return the (B, F, H, W) features of both stacks.

        Args:
            vertical: (B, inputs, H, W).
            horizontal: (B, inputs, H, W).
            context: (B, P, H, W) or (B, P, 1, 1).
            earlier: features of the layer that its short-cut comes from; None without one.
        """
        height, width = vertical.shape[-2:]
        reach = self.reach
        # The first layer's last row and column would see what lies beyond the image's end.
        above = self.vertical(F.pad(vertical, (reach, reach, reach, 0)))[:, :, :height]
        left = self.horizontal(F.pad(horizontal, (reach, 0)))[..., :width]
        if self.shortcut is not None and earlier is not None:
            above = above + self.shortcut.vertical(earlier[0])
            left = left + self.shortcut.horizontal(earlier[1])
        above, added = self.from_above(above, context)
        features = self.out(gate(left + added))
        return gate(above), features if self.first else features + horizontal

    def from_above(self, above: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return the vertical stack before its gate, and what it adds to the horizontal one.

        Args:
            above: (B, 2 F, H, W) convolution of the vertical stack.
            context: (B, P, H, W) or (B, P, 1, 1).
        """
        # From before the gate (Figure 2).
        added = self.between(above)
        if self.context is None:
            return above, added
        vertical, horizontal = self.context(context).chunk(2, dim=1)
        return above + vertical, added + horizontal


class Shortcut(nn.Module):
    """What a layer adds to both stacks, before their gates, of the features of an earlier one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.vertical = nn.Conv2d(channels, 2 * channels, 1, bias=False)
        self.horizontal = nn.Conv2d(channels, 2 * channels, 1, bias=False)


def gate(features: Tensor) -> Tensor:
    """Return tanh of the first half of the channels times sigmoid of the second, Eq. 2."""
    # Copies: on halves that lie between each other both functions take several times as long.
    values, gates = (half.clone() for half in features.chunk(2, dim=1))
    return values.tanh_() * gates.sigmoid_()
