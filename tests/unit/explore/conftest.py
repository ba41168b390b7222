"""Tiny models of each kind of latent, and pictures for them."""

from collections.abc import Callable

import pytest
import torch
from omegaconf import DictConfig

from reslag_vae.explore.explorer import Explorer
from reslag_vae.latents import CodePosterior
from reslag_vae.models import GenerativeModel
from reslag_vae.networks import Network
from reslag_vae.training.build import build_system
from tests.systems import TINY, make_model
from tests.unit.explore.pictures import some_pictures

GRID = ("network.channels=[4,8]", "network.blocks=[1,1]")
KINDS = {
    "vae": (),
    "autoencoder": (),
    "vq_vae": GRID,
    "fsq_vae": GRID,
    "ladder_vae": ("network.latent_channels=[1,1]",),
    "reslag_deep": (),
}
PIXELS = ("likelihood.channels=4", "likelihood.layers=1", "likelihood.pixels=logistic_mixture")


@pytest.fixture(scope="session")
def model_of(compose: Callable[..., DictConfig]) -> Callable[[str], GenerativeModel]:
    """Return an untrained tiny model of a kind."""
    models: dict[str, GenerativeModel] = {}

    def built(kind: str) -> GenerativeModel:
        if kind not in models:
            torch.manual_seed(0)
            system = build_system(compose(f"model={kind}", *TINY, *KINDS[kind]))
            models[kind] = with_codes(system.model.eval().requires_grad_(False))
        return models[kind]

    return built


def with_codes(model: GenerativeModel) -> GenerativeModel:
    """Return a model whose code books, if any, hold vectors of random pictures."""
    images = some_pictures(model.image_shape, 40).images.float() / 255
    for posterior, vectors in model.vectors_to_start_from(images):
        if isinstance(posterior, CodePosterior) and posterior.clusters:
            posterior.start(vectors[torch.randint(len(vectors), (posterior.clusters,))])
    return model


@pytest.fixture(params=KINDS)
def explorer(
    request: pytest.FixtureRequest, model_of: Callable[[str], GenerativeModel]
) -> Explorer:
    """An explorer of each kind of model."""
    model = model_of(request.param)
    return Explorer(request.param, model, some_pictures(model.image_shape, 9))


@pytest.fixture
def small(make_network: Callable[..., Network]) -> Explorer:
    """An explorer of a flat model of 1x8x8 pictures with three latent dimensions."""
    model = make_model(make_network()).eval().requires_grad_(False)
    # Codes of an untrained network are nearly alike.
    for own in model.groups()["inference"]:
        for parameter in own.parameters():
            parameter.mul_(4)
    return Explorer("small", model, some_pictures(model.image_shape, 40))


@pytest.fixture
def pixelcnn(compose: Callable[..., DictConfig]) -> GenerativeModel:
    """A model that has no latents."""
    return build_system(compose("model=pixelcnn", *TINY, *PIXELS)).model


@pytest.fixture
def slow(compose: Callable[..., DictConfig]) -> Explorer:
    """An explorer of a model that draws an image pixel after pixel."""
    model = build_system(compose("model=pixelvae", *TINY, *PIXELS)).model.eval()
    return Explorer("slow", model.requires_grad_(False), some_pictures(model.image_shape, 4))
