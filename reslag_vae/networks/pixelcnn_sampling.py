"""Images from a gated PixelCNN, pixel by pixel, each layer computed once for each pixel."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reslag_vae.networks.gated_layer import GatedLayer, gate
from reslag_vae.networks.pixelcnn import GatedPixelCNN, centred

# (B, O) outputs, row and column of a pixel to its (B, C) values in [0, 1].
Draw = Callable[[Tensor, int, int], Tensor]


@torch.no_grad()
def generate(network: GatedPixelCNN, context: Tensor, size: tuple[int, int], draw: Draw) -> Tensor:
    """Return (B, C, H, W) images whose pixels are drawn one after the other.

    What a layer has computed of the rows above and of the pixels to the left is kept (Ramachandran
    et al. 2017, https://arxiv.org/abs/1704.06001), so that an image takes as many operations as one
    pass of the network, not one pass for each pixel. The memory is that of `reach` rows of every
    layer.

    Args:
        network: that gives each pixel's outputs.
        context: (B, P, H, W) or (B, P, 1, 1), in the network's precision.
        size: (H, W).
        draw: a pixel's values from its outputs.
    """
    height, width = size
    images = context.new_zeros(len(context), network.image_channels, height, width)
    caches = [LayerCache(layer, len(context), width, context) for layer in network.gated_layers()]
    head = [matrix(layer) for layer in (network.hidden, network.outputs)]
    for row in range(height):
        own = context if context.shape[2] == 1 else context[:, :, row : row + 1]
        vertical = centred(images[:, :, row - 1 : row]) if row else None
        rows: list[Tensor] = []
        for cache, source in zip(caches, network.sources, strict=True):
            vertical = cache.begin_row(vertical, own, None if source is None else rows[source])
            rows.append(vertical)
        # There is nothing to the left of the first pixel.
        values = context.new_zeros(len(context), network.image_channels)
        for column in range(width):
            features = values
            pixels: list[Tensor] = []
            for cache, source in zip(caches, network.sources, strict=True):
                earlier = None if source is None else pixels[source]
                features = cache.pixel(column, features, earlier)
                pixels.append(features)
            for weight, bias in head:
                features = torch.addmm(bias, features.relu(), weight)
            drawn = draw(features, row, column)
            images[:, :, row, column] = drawn
            values = centred(drawn)
    return images


def matrix(layer: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Return the (inputs, outputs) weights and the (outputs,) bias of a 1x1 convolution."""
    assert layer.bias is not None
    return layer.weight.flatten(1).t(), layer.bias


class LayerCache:
    """What a layer keeps of the rows above and of the pixels to the left.

    Args:
        layer: the layer whose inputs are kept.
        count: B, the number of images.
        width: W, the number of pixels in a row.
        like: a tensor of the wanted precision and device.
    """

    def __init__(self, layer: GatedLayer, count: int, width: int, like: Tensor) -> None:
        self.layer = layer
        inputs = layer.vertical.in_channels
        length, kernel = layer.vertical.kernel_size
        self.rows = like.new_zeros(count, inputs, length, width + kernel - 1)
        self.pixels = like.new_zeros(count, width + layer.reach, inputs)
        self.weight = layer.horizontal.weight[:, :, 0].permute(2, 1, 0).flatten(0, 1)
        self.out, self.out_bias = matrix(layer.out)
        if layer.shortcut is not None:
            self.shortcut = layer.shortcut.horizontal.weight.flatten(1).t()
        self.added = like.new_zeros(width, count, 1)

    def begin_row(
        self, before: Tensor | None, context: Tensor, earlier: Tensor | None = None
    ) -> Tensor:
        """Return the (B, F, 1, W) vertical features of the next row.

        Args:
            before: (B, inputs, 1, W) vertical inputs of the row, of the row above in the first
                layer; None where there is no row above.
            context: (B, P, 1, W) or (B, P, 1, 1) of the row.
            earlier: (B, F, 1, W) vertical features of the layer that its short-cut comes from.
        """
        layer = self.layer
        if before is not None:
            reach = layer.reach
            row = F.pad(before, (reach, reach))
            self.rows = torch.cat([self.rows[:, :, 1:], row], dim=2)
        above = layer.vertical(self.rows)
        if layer.shortcut is not None:
            above = above + layer.shortcut.vertical(earlier)
        above, added = layer.from_above(above, context)
        bias = layer.horizontal.bias
        assert bias is not None
        self.added = (added[:, :, 0] + bias[:, None]).permute(2, 0, 1).contiguous()
        self.pixels.zero_()
        return gate(above)

    def pixel(self, column: int, before: Tensor, earlier: Tensor | None = None) -> Tensor:
        """Return the (B, F) horizontal features of the next pixel.

        Args:
            column: of the pixel.
            before: (B, inputs) horizontal inputs of the pixel, of the pixel to the left in the
                first layer: zeros, where there is none.
            earlier: (B, F) horizontal features of the layer that its short-cut comes from.
        """
        layer = self.layer
        # The field's last pixel is the one itself, or in the first layer the one to its left.
        end = column + layer.reach + (0 if layer.first else 1)
        self.pixels[:, end - 1] = before
        field = self.pixels[:, column:end].flatten(1)
        left = torch.addmm(self.added[column], field, self.weight)
        if earlier is not None:
            left = torch.addmm(left, earlier, self.shortcut)
        features = torch.addmm(self.out_bias, gate(left), self.out)
        return features if layer.first else features + before
