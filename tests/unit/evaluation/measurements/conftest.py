"""Small models and data for the groups of numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from reslag_vae.data import ImageDataModule, Images
from reslag_vae.data.images import Source
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.metrics import classifier
from reslag_vae.evaluation.settings import Settings
from reslag_vae.models import FlatModel
from tests.systems import OBJECTIVES, make_model


class Stripes(ImageDataModule):
    """Three classes of 1x8x8 stripes with noise: upright, lying, and a bright square."""

    name = "stripes"
    image_shape = (1, 8, 8)

    def __init__(self, root: Path, batch_size: int = 16, seed: int = 0) -> None:
        super().__init__(root, batch_size, 0.1, seed)

    def read(self) -> Source:
        generator = torch.Generator().manual_seed(1)
        patterns = torch.zeros(3, 1, 8, 8)
        patterns[0, :, :, ::2] = patterns[1, :, ::2] = patterns[2, :, 2:6, 2:6] = 180
        labels = torch.arange(240) % 3
        noise = torch.randint(70, (240, 1, 8, 8), generator=generator)
        images = (patterns[labels] + noise).to(torch.uint8)
        train, test = Images(images[:180], labels[:180]), Images(images[180:], labels[180:])
        return Source(train, None, test, ["upright", "lying", "square"])


# One objective of each kind, with its options.
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("reconstruction", {}),
    ("elbo", {}),
    ("beta", {"beta": 6.0}),
    ("mmd", {}),
    ("sigma_fixed", {}),
]


@pytest.fixture(params=KINDS, ids=[choice for choice, _ in KINDS])
def kind(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """An objective of each kind, as `objective=<choice>` and its options."""
    chosen: tuple[str, dict[str, Any]] = request.param
    return chosen


@pytest.fixture(autouse=True)
def quick_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "STEPS", 30)


@pytest.fixture
def make_subject(make_network: Callable[..., Any], tmp_path: Path) -> Callable[..., Subject]:
    """A model of random weights, of `objective=<choice>` or given, and stripes or other data."""

    def subject(
        choice: str = "sigma_fixed",
        data: ImageDataModule | None = None,
        model: FlatModel | None = None,
        options: dict[str, Any] | None = None,
        **settings: Any,
    ) -> Subject:
        torch.manual_seed(3)
        if model is None:
            point = choice == "reconstruction"
            model = make_model(make_network(parameters_per_latent=1 if point else 2), choice)
        if data is None:
            data = Stripes(tmp_path)
            data.setup()
        own = Settings(**({"samples": 4} | settings))
        objective = OBJECTIVES[choice](**(options or {}))
        return Subject(model.eval().requires_grad_(False), objective, data, own)

    return subject


@pytest.fixture
def make_stripes(tmp_path: Path) -> Callable[..., Stripes]:
    def stripes(**options: Any) -> Stripes:
        data = Stripes(tmp_path, **options)
        data.setup()
        return data

    return stripes
