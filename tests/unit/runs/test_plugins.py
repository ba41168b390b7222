"""Parts of other installed packages are known by their entry points."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import reslag_vae
from reslag_vae.runs.config import MODEL_MODULES, RUN_MODULES, RUN_TARGETS, foreign_target
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.load import read_run
from reslag_vae.runs.plugins import declared_classes
from reslag_vae.sharing.export import export
from reslag_vae.training.resume import resumed
from tests.running import BARE

SOURCE = """
from reslag_vae.networks import PlainNetwork
from reslag_vae.training.system import BaseVAE

class TheirVAE(BaseVAE):
    name = "theirs"
    title = "Their VAE"

class TheirNetwork(PlainNetwork):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.size = sum(value.sum().item() for value in self.parameters())

class Undeclared(PlainNetwork):
    pass

def erase(*arguments, **options):
    raise SystemExit("called")
"""

ENTRIES = """
[reslag_vae.variants]
theirs = their_package:TheirVAE

[reslag_vae.networks]
theirs = their_package:TheirNetwork
no_class = their_package
no_name = their package:

[others]
erase = their_package:erase
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package that declares a variant and a network is on the path."""
    place = tmp_path / "site-packages"
    info = place / "their_package-1.0.dist-info"
    info.mkdir(parents=True)
    (place / "their_package.py").write_text(SOURCE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their_package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(str(place))
    declared_classes.cache_clear()
    yield
    declared_classes.cache_clear()
    sys.modules.pop("their_package", None)


@pytest.mark.usefixtures("installed")
def test_declared_classes_are_not_foreign() -> None:
    assert declared_classes() == {"their_package.TheirVAE", "their_package.TheirNetwork"}
    tree = {"_target_": "their_package.TheirVAE", "a": {"_target_": "their_package.TheirNetwork"}}
    assert foreign_target(tree, MODEL_MODULES) is None


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "their_package",
        "their_package.erase",
        "their_package.Undeclared",
        "their_package.TheirVAE.load_from_checkpoint",
        "their_package.TheirVAEs",
    ],
)
def test_whatever_else_a_package_holds_stays_foreign(target: str) -> None:
    assert foreign_target({"_target_": target}, RUN_MODULES, others=RUN_TARGETS) == target


def test_without_such_packages_nothing_is_declared() -> None:
    declared_classes.cache_clear()
    assert declared_classes() == frozenset()


@pytest.mark.usefixtures("installed")
def test_a_declared_variant_trains_loads_is_exported_and_goes_on_by_name(
    compose: Any, train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("model._target_=their_package.TheirVAE", "network._target_=their_package.TheirNetwork")
    run, out = tmp_path / "run", tmp_path / "out"
    train(compose(*BARE, "model=vae", *names, "trainer.max_epochs=1"), run)
    read = read_run(run)
    assert read.title.startswith("Their VAE")
    export(run, out)
    images = torch.rand(2, 1, 28, 28)
    assert torch.equal(reslag_vae.load(out).encode(images), reslag_vae.load(run).encode(images))
    assert resumed(run, []).model._target_ == "their_package.TheirVAE"
    (tmp_path / "site-packages" / "their_package-1.0.dist-info" / "entry_points.txt").unlink()
    declared_classes.cache_clear()
    with pytest.raises(RunError, match=r"would build their_package\.TheirNetwork"):
        reslag_vae.load(run)
