"""The walks of docs/architecture.md lead through code that is there, and names can be found."""

import ast
import re
from pathlib import Path
from types import ModuleType

import pytest

import reslag_vae
from reslag_vae import data, evaluation
from reslag_vae.evaluation import public

ROOT = Path(__file__).parents[2]
WALKS = (
    "A batch, from data to loss and metrics",
    "A run's folder, through evaluate.py",
    "A study, to its report",
    "A model, in a notebook",
)


def steps(heading: str) -> list[tuple[str, str]]:
    """Files and names of a section's `path.py:name`s."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    _, section = text.split(f"\n## {heading}\n")
    return re.findall(r"`([\w/]+\.py):([\w.]+)`", section.partition("\n## ")[0])


def is_there(file: str, name: str) -> bool:
    """Whether a file, within the package or at the top level, defines a dotted name."""
    path = ROOT / "reslag_vae" / file
    tree: ast.AST = ast.parse((path if path.exists() else ROOT / file).read_text())
    for part in name.split("."):
        found = [own for own in ast.iter_child_nodes(tree) if getattr(own, "name", None) == part]
        if not found:
            return False
        tree = found[0]
    return True


@pytest.mark.parametrize("walk", WALKS)
def test_every_step_of_a_walk_is_there(walk: str) -> None:
    found = steps(walk)
    assert len(found) > 5
    assert [step for step in found if not is_there(*step)] == []


@pytest.mark.parametrize(
    ("room", "names"),
    [
        (reslag_vae, reslag_vae.__all__),
        (data, data.__all__),
        (evaluation, public.__all__),
    ],
)
def test_a_notebook_offers_what_is_imported_late(room: ModuleType, names: list[str]) -> None:
    assert set(names) <= set(dir(room))
