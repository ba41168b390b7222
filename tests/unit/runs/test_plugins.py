"""Variants of other installed packages are known by their entry points."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reslag_vae.runs.config import MODEL_MODULES, foreign_target
from reslag_vae.runs.plugins import declared, is_declared

SOURCE = """
from reslag_vae.training.system import BaseVAE

class TheirVAE(BaseVAE):
    name = "theirs"
    title = "Their VAE"
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package that declares a variant is on the path."""
    (tmp_path / "their_package.py").write_text(SOURCE)
    info = tmp_path / "their_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their_package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[reslag_vae.variants]\ntheirs = their_package:TheirVAE\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    declared.cache_clear()
    yield
    declared.cache_clear()
    sys.modules.pop("their_package", None)


@pytest.mark.usefixtures("installed")
def test_a_declared_variant_is_no_foreign_one() -> None:
    assert declared() == {"their_package.TheirVAE"}
    assert foreign_target({"_target_": "their_package.TheirVAE"}, MODEL_MODULES) is None


@pytest.mark.usefixtures("installed")
def test_other_packages_stay_foreign() -> None:
    assert not is_declared("os.system")
    assert foreign_target({"_target_": "os.system"}, MODEL_MODULES) == "os.system"


def test_without_such_packages_nothing_is_declared() -> None:
    declared.cache_clear()
    assert declared() == frozenset()
