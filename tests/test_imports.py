"""Imports point one way: a part imports only from the layers before its own. Data modules stand aside."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "reslag_vae"
FILES = sorted(PACKAGE.rglob("*.py"))
LAYERS = [
    {"records", "distributions"},
    {"networks", "objectives", "schedules", "latent", "optimizers"},
    {"models"},
    {"callbacks", "evaluation"},
    {"study"},
    {"report"},
    {"results", "configs"},
    {"wiring"},
    {"loading", "preparation"},
    {"export"},
    {"evaluated"},
    {"comparison"},
    {"evaluations"},
]
RANK = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}
MODEL_SIDE = {"distributions", "networks", "objectives", "schedules", "models", "latent", "optimizers"}


def part_of(path: Path) -> str:
    """`networks` of reslag_vae/networks/plain.py, `records` of reslag_vae/records.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Dotted names of all that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def parts_imported(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imported(path) if name.startswith("reslag_vae.")} - {part_of(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    part, others = part_of(path), parts_imported(path)

    if part in RANK:
        assert not {other for other in others if RANK.get(other, -1) >= RANK[part]}
    if part == "data":
        assert not others & (set(RANK) - {"records"})
    if part in MODEL_SIDE | {"records"}:
        assert "data" not in others
    if part not in ("wiring", "configs", "job_folder", "entry"):
        assert not {name for name in imported(path) if name.split(".")[0] == "hydra"}


def test_the_parts_are_those_of_the_package() -> None:
    assert set(RANK) - {part_of(path) for path in FILES} <= {"report"}
