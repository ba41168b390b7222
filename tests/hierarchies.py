"""Hierarchies for tests: what generates a linear one, and latents that are held fixed."""

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from reslag_vae.evaluation import importance_weighted_bound
from reslag_vae.latents import DiagonalGaussian, LevelDensity, PrecisionWeightedPosterior
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

    def forward(self, features: Tensor) -> LevelDensity:
        return FixedGaussian(*super().forward(features))  # type: ignore[misc]

    def given(self, features: Tensor, prior: Any) -> LevelDensity:
        return FixedGaussian(*super().given(features, prior))  # type: ignore[misc]


def assert_bounds_of_binary_levels(model: HierarchicalModel, dims: tuple[int, ...]) -> None:
    """Assert that the masses of all states of binary levels sum to one, and bound log p(x)."""
    assert model.level_dims == dims
    assert model.binary.all()
    model = model.double().eval()
    images = draw_images(4, model.image_shape).double()
    states = torch.tensor(
        list(itertools.product([0.0, 1.0], repeat=sum(dims))), dtype=torch.float64
    )
    levels = model.levels(states)
    log_masses, above = model.prior().log_prob(levels[0]), None
    for level in range(1, len(levels)):
        above = model.network.generative.join(level - 1, above, levels[:level])
        log_masses = log_masses + model.prior_given(level, above, states.dtype).log_prob(
            levels[level]
        )
    each = [model.log_likelihood(image.expand(len(states), -1, -1, -1), states) for image in images]
    exact = torch.stack([torch.logsumexp(log_masses + own, 0) for own in each])
    result = importance_weighted_bound(model, images, samples=20_000)
    drawn = torch.stack([model.infer(images).code for _ in range(20)])

    torch.testing.assert_close(log_masses.exp().sum(), torch.tensor(1.0, dtype=torch.float64))
    assert ((drawn == 0) | (drawn == 1)).all()
    assert (result.elbo < exact).all()
    torch.testing.assert_close(result.importance_weighted, exact, rtol=0, atol=0.05)


def paths_to_the_image(model: HierarchicalModel, images: Tensor) -> list[bool]:
    """Whether the images, and each parameter of inference, has a gradient of what is decoded."""
    images = images.requires_grad_()
    _, outputs = model.infer_and_decode(images)
    sources = [images, *model.network.inference.parameters()]
    found = torch.autograd.grad(outputs.square().sum(), sources, allow_unused=True)
    return [gradient is not None for gradient in found]
