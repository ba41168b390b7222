"""A gated PixelCNN: every pixel's outputs see the pixels before it, row by row."""

from collections.abc import Callable, Iterator
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from reslag_vae.networks.gated_layer import GatedLayer, Stacks


class GatedPixelCNN(nn.Module):
    """Masked convolutions in a vertical and a horizontal stack, which together have no blind spot.

    van den Oord et al. 2016, https://arxiv.org/abs/1606.05328, section 2 and Figure 2. The vertical
    stack sees the rows above a pixel, the horizontal one the pixels to its left and the vertical
    stack. The first layer leaves out the pixel itself and has no residual connection; the others
    see their own features of it. Nothing is masked by zeros in a kernel: kernels have no more
    weights than they use.

    With short-cuts it has the connections of PixelCNN++ (Salimans et al. 2017,
    https://arxiv.org/abs/1701.05517, section 2.4), but all layers are of the images' size, where
    that one halves and doubles it, so that samples can be drawn row by row from what is kept.

    Args:
        image_channels: C.
        context_channels: P, of what every pixel is conditioned on; 0 for nothing.
        outputs: O, numbers given for each pixel.
        channels: F, features of each stack.
        layers: L, at least 1.
        first_kernel: odd size of the first layer's field.
        kernel: odd size of the other layers' field.
        conditioned: layers that see the context, from the first on; None is all of them, or with
            short-cuts those after the first half.
        shortcuts: whether the layers of the second half see those of the first in reverse order:
            the last layer the first one.

    Attributes:
        first_layers: number of layers of the first half.
        sources: for each layer the number, from 0, of that which its short-cut comes from, or None.
    """

    def __init__(
        self,
        image_channels: int,
        context_channels: int,
        outputs: int,
        channels: int,
        layers: int,
        first_kernel: int,
        kernel: int,
        conditioned: int | None = None,
        shortcuts: bool = False,
    ) -> None:
        super().__init__()
        self.image_channels, self.context_channels = image_channels, context_channels
        self.first_layers = layers // 2
        mirrored = range(layers - self.first_layers, layers) if shortcuts else range(0)
        self.sources = [layers - 1 - own if own in mirrored else None for own in range(layers)]
        seeing = range(self.first_layers if shortcuts else 0, layers)
        if conditioned is not None:
            seeing = range(conditioned)
        seen = [context_channels if layer in seeing else 0 for layer in range(layers)]
        first = GatedLayer(image_channels, channels, first_kernel, seen[0], first=True)
        others = [
            GatedLayer(channels, channels, kernel, seen[layer], False, layer in mirrored)
            for layer in range(1, layers)
        ]
        self.layers = nn.ModuleList([first, *others])
        self.hidden = nn.Conv2d(channels, channels, 1)
        self.outputs = nn.Conv2d(channels, outputs, 1)
        self.to(memory_format=torch.channels_last)

    @property
    def rows_above(self) -> int:
        """Rows above a pixel that its outputs see."""
        return sum(layer.reach for layer in self.gated_layers())

    def gated_layers(self) -> Iterator[GatedLayer]:
        """Yield the layers, from the image on."""
        for layer in self.layers:
            assert isinstance(layer, GatedLayer)
            yield layer

    def forward(self, images: Tensor, context: Tensor) -> Tensor:
        """Return the (B, O, H, W) outputs of all pixels at once.

        Args:
            images: (B, C, H, W) in [0, 1].
            context: (B, P, H, W), or (B, P, 1, 1) that is the same for all pixels.
        """
        _, horizontal = self.stacks(images, context, len(self.layers))
        outputs: Tensor = self.outputs(self.hidden(horizontal.relu()).relu())
        return outputs

    def first_half(self, images: Tensor) -> Tensor:
        """Return the (B, 2 F, H, W) features of both stacks after the first half of the layers.

        They are a function of the images alone where no layer of that half sees the context.

        Args:
            images: (B, C, H, W) in [0, 1].
        """
        nothing = images.new_zeros(len(images), 0, 1, 1)
        return torch.cat(self.stacks(images, nothing, self.first_layers), dim=1)

    def stacks(self, images: Tensor, context: Tensor, layers: int) -> Stacks:
        """Return the (B, F, H, W) features of both stacks after the first `layers` layers."""
        features: list[Stacks] = []
        vertical = horizontal = centred(images)
        for layer, source in zip(self.gated_layers(), self.sources[:layers], strict=False):
            earlier = None if source is None else features[source]
            vertical, horizontal = layer(vertical, horizontal, context, earlier)
            features.append((vertical, horizontal))
        return vertical, horizontal


def kept_bytes(
    network: GatedPixelCNN, size: tuple[int, int], log_prob: Callable[[Tensor, Tensor], Tensor]
) -> int:
    """Return the bytes that a pass in float32 keeps of an image for the gradient.

    Nothing is computed: the pass is of shapes alone.

    Args:
        network: that is passed.
        size: (H, W) of the image.
        log_prob: of (B, C, H, W) images with (B, O, H, W) outputs, which ends the pass.
    """
    shapes = deepcopy(network).to("meta", torch.float32)
    image = torch.empty(1, network.image_channels, *size, device="meta")
    context = torch.empty(1, network.context_channels, *size, device="meta", requires_grad=True)
    own = {parameter.untyped_storage() for parameter in shapes.parameters()}
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.enable_grad(), saved_tensors_hooks(keep, lambda tensor: tensor):
        log_prob(image, shapes(image, context))
    storages = {tensor.untyped_storage() for tensor in kept} - own
    return sum(storage.nbytes() for storage in storages)


def centred(images: Tensor) -> Tensor:
    """Return images in [0, 1] scaled to [-1, 1]: 0 is as far from black as from white."""
    return 2 * images - 1
