"""Hierarchies for tests: what generates a linear one, and latents that are held fixed."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from reslag_vae.latents import DiagonalGaussian, PosteriorDensity, PrecisionWeightedPosterior
from reslag_vae.likelihoods import UnitGaussian
from reslag_vae.models import HierarchicalModel
from reslag_vae.networks.hierarchy import TopDown

SHAPE = (1, 8, 8)
SIZE, LINEAR_SHAPE = 2, (1, 2, 3)
PIXELS = 6


def draw_images(count: int = 5, shape: tuple[int, int, int] = SHAPE) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, *shape, generator=generator).round()


class LinearGaussian(UnitGaussian):
    """N(x; outputs, I)."""

    def link(self, outputs: Tensor) -> Tensor:
        return outputs


class LinearDown(TopDown):
    """Linear maps: of the top to the prior below, and of both levels to an image."""

    def __init__(self) -> None:
        super().__init__((SIZE, SIZE))
        self.head = nn.Linear(SIZE, 2 * SIZE)
        # Variances that hang on the top would not be those of one Gaussian.
        nn.init.zeros_(self.head.weight[SIZE:])
        self.to_image = nn.ModuleList(nn.Linear(SIZE, PIXELS) for _ in range(2))

    def join(self, level: int, above: Tensor | None, latents: Sequence[Tensor]) -> Tensor:
        if above is None:
            return latents[0]
        return (self.to_image[0](above) + self.to_image[1](latents[-1])).view(-1, *LINEAR_SHAPE)

    def numbers(self, level: int, above: Tensor) -> Tensor:
        numbers: Tensor = self.head(above)
        return numbers


def exact_log_likelihood(model: HierarchicalModel, images: Tensor) -> Tensor:
    """(N,) log p(x) of the linear model: x = A z_1 + B z_2 + c + e, z_2 = C z_1 + m + s e'."""
    decoder: Any = model.network.generative
    above, below = decoder.to_image
    weight, bias = decoder.head.weight, decoder.head.bias
    spread = DiagonalGaussian.from_parameters(bias[None]).variance[0]
    through = above.weight + below.weight @ weight[:SIZE]
    mean = above.bias + below.bias + below.weight @ bias[:SIZE]
    covariance = torch.eye(PIXELS, dtype=torch.float64) + through @ through.T
    covariance = covariance + (below.weight * spread) @ below.weight.T
    return MultivariateNormal(mean, covariance).log_prob(images.flatten(1))


class FixedGaussian(DiagonalGaussian):
    """A Gaussian whose sample is cut off from what made it."""

    def rsample(self, noise: Tensor | None = None) -> Tensor:
        return super().rsample(noise).detach()


class FixedSamples(PrecisionWeightedPosterior):
    """The posterior of a ladder, with latents that are held fixed."""

    def forward(self, features: Tensor) -> PosteriorDensity:
        return FixedGaussian(*super().forward(features))  # type: ignore[misc]

    def given(self, features: Tensor, prior: Any) -> PosteriorDensity:
        return FixedGaussian(*super().given(features, prior))  # type: ignore[misc]


def paths_to_the_image(model: HierarchicalModel, images: Tensor) -> list[bool]:
    """Whether the images, and each parameter of inference, has a gradient of what is decoded."""
    images = images.requires_grad_()
    _, outputs = model.infer_and_decode(images)
    sources = [images, *model.network.inference.parameters()]
    found = torch.autograd.grad(outputs.square().sum(), sources, allow_unused=True)
    return [gradient is not None for gradient in found]
