"""A ResLag network whose connections are levels of latents."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from reslag_vae.latents import (
    DiagonalGaussian,
    GaussianPosterior,
    PosteriorDensity,
    StandardNormal,
)
from reslag_vae.likelihoods import Gaussian, OptimalVariance
from reslag_vae.models import FlatModel, HierarchicalModel
from reslag_vae.networks import DeepResidualNetwork, LightResidualNetwork
from reslag_vae.networks.residual import connection_shapes
from reslag_vae.networks.residual_deep import levels_of_stages
from tests.running import BARE, checkpoint, rows

SHAPE = (3, 16, 16)
CHANNELS, BLOCKS = [4, 6, 8], [2, 1, 1]


def make_network(levels: int | None = None, **options: Any) -> DeepResidualNetwork:
    return DeepResidualNetwork(SHAPE, 5, CHANNELS, BLOCKS, levels, **options)


def make_model(network: DeepResidualNetwork) -> HierarchicalModel:
    likelihood = Gaussian(OptimalVariance(SHAPE))
    prior = StandardNormal(network.level_dims[0])
    return HierarchicalModel(network, likelihood, GaussianPosterior(), prior)


@pytest.mark.parametrize(
    ("stages", "levels", "expected"),
    [
        (3, 1, [[0, 1, 2]]),
        (3, 2, [[1, 2], [0]]),
        (3, 3, [[2], [1], [0]]),
        (4, 2, [[2, 3], [0, 1]]),
        (4, 3, [[2, 3], [1], [0]]),
        (5, 3, [[3, 4], [1, 2], [0]]),
    ],
)
def test_the_innermost_stages_are_the_top_s(
    stages: int, levels: int, expected: list[list[int]]
) -> None:
    assert levels_of_stages(stages, levels) == expected


@pytest.mark.parametrize(
    "sizes",
    [
        (SHAPE, 5, CHANNELS, BLOCKS),
        ((3, 32, 32), 100, (32, 64, 128), (2, 2, 1)),  # the thesis' on CIFAR10
        ((3, 64, 64), 150, (64, 128, 256, 256), (2, 2, 2, 2)),  # and on CelebA
    ],
)
def test_one_level_is_the_light_network(sizes: tuple[Any, int, Any, Any]) -> None:
    shape, latent_dim = sizes[:2]
    torch.manual_seed(3)
    light = LightResidualNetwork(*sizes)
    torch.manual_seed(3)
    deep = DeepResidualNetwork(*sizes, levels=1)
    pairs = zip(light.parameters(), deep.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)

    flat = FlatModel(light, Gaussian(OptimalVariance(shape)))
    images, noise = torch.rand(2, *shape), (torch.randn(2, latent_dim),)
    first, outputs = flat.infer_and_decode(images, noise)
    second, others = make_model(deep).infer_and_decode(images, noise)
    assert torch.equal(outputs, others)
    assert torch.equal(first.rate(), second.rate())  # type: ignore[arg-type]


def test_training_one_level_is_training_the_light_model(
    compose: Any, train: Any, tmp_path: Path
) -> None:
    light, deep = tmp_path / "light", tmp_path / "deep"
    options = ("schedule.epochs=1", "trainer.max_epochs=2", "recipe.residual=true")
    common = (*BARE, *options, "objective=sigma_optimal")
    train(compose("model=reslag_light", *common), light)
    train(compose("model=reslag_deep", "network.levels=1", *common), deep)
    assert rows(light) == rows(deep)
    weights = [list(checkpoint(own, "last")["state_dict"].values()) for own in (light, deep)]
    assert all(torch.equal(*pair) for pair in zip(*weights, strict=True))


def test_a_stage_is_given_the_latents_of_its_level_and_of_those_above() -> None:
    network = make_network(2)
    sizes = [math.prod(own) for own in connection_shapes(SHAPE, 3, LightResidualNetwork.width)]
    features = network.inference.features(torch.rand(2, *SHAPE))
    assert [own.shape[1] for own in features] == [sum(sizes)] * 2
    given = [(own.in_features, own.out_features) for own in network.generative.from_latents]
    assert given == [(5, sizes[1] + sizes[2]), (10, sizes[0])]
    assert network.level_dims == (5, 5)
    assert make_network().level_dims == (5, 5, 5)


@torch.no_grad()
def test_every_connection_has_the_same_weight() -> None:
    """Each stage is given the mean of the connections so far."""
    network = make_network(3).generative

    seen: list[Tensor] = []

    class Kept(torch.nn.Module):
        """A stage that keeps its input, and gives features of the next one's size."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

        def forward(self, features: Tensor) -> Tensor:
            seen.append(features)
            return features[:, :1].mean((2, 3), keepdim=True).expand(-1, *following[self.place])

    following = [(6, 4, 4), (4, 8, 8), (3, 16, 16)]
    network.stages = torch.nn.ModuleList(Kept(place) for place in range(3))
    latents = [torch.randn(2, 5) for _ in range(3)]
    network(torch.cat(latents, dim=1))
    parts = [
        linear(torch.cat(latents[: place + 1], dim=1))
        for place, linear in enumerate(network.from_latents)
    ]
    shapes = network.connections[::-1]
    joining = [
        expand(part.unflatten(1, shape))
        for expand, part, shape in zip(network.expansions, parts, shapes, strict=True)
    ]
    first = joining[0]
    torch.testing.assert_close(seen[0], first)
    running = first[:, :1].mean((2, 3), keepdim=True).expand(-1, *following[0])
    torch.testing.assert_close(seen[1], (running + joining[1]) / 2)
    running = seen[1][:, :1].mean((2, 3), keepdim=True).expand(-1, *following[1])
    torch.testing.assert_close(seen[2], (2 * running + joining[2]) / 3)


class FixedGaussian(DiagonalGaussian):
    """A Gaussian whose sample is cut off from what made it."""

    def rsample(self, noise: Tensor | None = None) -> Tensor:
        return super().rsample(noise).detach()


class FixedSamples(GaussianPosterior):
    """A posterior whose latents are held fixed."""

    def forward(self, features: Tensor) -> PosteriorDensity:
        return FixedGaussian(*super().forward(features))  # type: ignore[misc]


@pytest.mark.parametrize("posterior", [GaussianPosterior, FixedSamples])
@pytest.mark.parametrize("residual_blocks", [0, 2])
def test_no_path_leads_from_the_encoder_to_the_decoder_but_the_latents(
    posterior: type[GaussianPosterior], residual_blocks: int
) -> None:
    model = make_model(make_network(residual_blocks=residual_blocks))
    model.posterior = posterior()
    images = torch.rand(4, *SHAPE, requires_grad=True)
    _, outputs = model.infer_and_decode(images)
    sources = [images, *model.network.inference.parameters()]
    found = torch.autograd.grad(outputs.square().sum(), sources, allow_unused=True)
    connected = posterior is GaussianPosterior
    assert [gradient is not None for gradient in found] == [connected] * len(sources)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"levels": 4}, r"network\.levels=4: network\.channels has 3 stage"),
        ({"levels": 0}, r"network\.levels=0: "),
        ({"levels": [5, 5]}, r"network\.levels=\[5, 5\]: "),
        ({"residual_blocks": -1}, r"network\.residual_blocks=-1: "),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        make_network(**options)


def test_as_many_latents_as_numbers_of_the_image_are_refused() -> None:
    DeepResidualNetwork(SHAPE, 255, CHANNELS, BLOCKS)
    with pytest.raises(
        ValueError, match=r"network\.latent_dim=256: 768 latents in all, at 3 level"
    ):
        DeepResidualNetwork(SHAPE, 256, CHANNELS, BLOCKS)
