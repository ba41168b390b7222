"""The prior that draws a grid of codes one after the other, by a gated PixelCNN."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reslag_vae.latents.base import Level
from reslag_vae.latents.code_prior import CodePrior
from reslag_vae.latents.codes import CodePosterior
from reslag_vae.latents.noise import categories
from reslag_vae.networks.pixelcnn import GatedPixelCNN
from reslag_vae.networks.pixelcnn_sampling import generate
from reslag_vae.options import require


class PixelCNNPrior(CodePrior):
    """The mass of each code given those before it, row by row, and given the level above.

    van den Oord et al. 2017, https://arxiv.org/abs/1711.00937, section 3.3; for a level below
    another Razavi et al. 2019, https://arxiv.org/abs/1906.00446, section 3.2. A gated PixelCNN sees
    an embedding of its own of each code, and not the codebook's vectors, which may move. The level
    above goes through two convolutions and is then stretched to the grid. Its sizes are those of
    the level that it is bound to.

    Args:
        channels: features of each stack, of an embedded code and of the level above.
        layers: gated layers.
        first_kernel: odd size of the first layer's field.
        kernel: odd size of the other layers' field.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "pixelcnn"
    requires = CodePrior.requires | {"rate"}

    def __init__(
        self, channels: int = 64, layers: int = 8, first_kernel: int = 5, kernel: int = 3
    ) -> None:
        super().__init__()
        sizes = {
            "channels": channels,
            "layers": layers,
            "first_kernel": first_kernel,
            "kernel": kernel,
        }
        for option, value in sizes.items():
            require(f"prior.{option}", value)
        self.channels, self.layers = channels, layers
        self.first_kernel, self.kernel = first_kernel, kernel

    @property
    def notes(self) -> dict[str, str]:
        height, width = self.grid
        return {
            "p(z)": f"gated PixelCNN of {self.layers} layers over {height} x {width} codes",
        }

    def bind(self, level: Level) -> None:
        super().bind(level)
        if level.grid is None or not isinstance(level.posterior, CodePosterior):
            return  # refused by what is required
        self.grid, self.above = level.grid, level.above
        self.embedding = nn.Embedding(level.posterior.codes, self.channels)
        if level.above is not None:
            self.stretched = nn.Sequential(
                nn.Unflatten(1, level.above),
                nn.Conv2d(level.above[0], self.channels, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(self.channels, self.channels, 3, padding=1),
                nn.ReLU(),
                nn.Upsample(size=level.grid),
            )
        self.network = GatedPixelCNN(
            image_channels=self.channels,
            context_channels=0 if level.above is None else self.channels,
            outputs=level.posterior.codes,
            channels=self.channels,
            layers=self.layers,
            first_kernel=self.first_kernel,
            kernel=self.kernel,
        )

    def nats(self, indices: Tensor, context: Tensor | None = None) -> Tensor:
        embedded = self.embedding(indices).transpose(1, 2).unflatten(2, self.grid)
        logits = self.network(embedded, self.seen(context, len(indices)))
        return F.cross_entropy(logits.flatten(2), indices, reduction="none")

    def from_noise(
        self, noise: Tensor, temperature: float = 1.0, context: Tensor | None = None
    ) -> Tensor:
        height, width = self.grid
        uniform = torch.special.ndtr(noise.double()).unflatten(1, (height, width))
        indices = torch.zeros(len(noise), height, width, dtype=torch.long, device=noise.device)

        def draw(logits: Tensor, row: int, column: int) -> Tensor:
            own = drawn(logits, uniform[:, row, column], temperature)
            indices[:, row, column] = own
            embedded: Tensor = self.embedding(own)
            return embedded

        generate(self.network, self.seen(context, len(noise)), (height, width), draw)
        return self.quantiser.latents_of(indices.flatten(1)).to(noise.dtype)

    def seen(self, context: Tensor | None, count: int) -> Tensor:
        """Return the (B, P, H, W) that every position sees of the level above."""
        weight = self.embedding.weight
        if self.above is None or context is None:
            return weight.new_zeros(count, 0, 1, 1)
        stretched: Tensor = self.stretched(context.detach().to(weight.dtype))
        return stretched


def drawn(logits: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    """Return (B,) codes: those at which the cumulated masses pass a number.

    Args:
        logits: (B, K).
        uniform: (B,) float64 numbers in [0, 1].
        temperature: by which the logits are divided; 0 takes the likeliest code.
    """
    if temperature == 0:
        return logits.argmax(1)
    masses = (logits.double() / temperature).softmax(1)
    return categories(masses, uniform[:, None]).squeeze(1)
