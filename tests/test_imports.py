"""Imports point down: a room imports only from those below it."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "reslag_vae"
FILES = sorted(PACKAGE.rglob("*.py"))

# From the ground up; what shares a floor knows nothing of each other.
FLOORS = [
    {"_runtime"},
    {"options", "records"},
    {"networks", "latents", "data"},
    {"objectives"},
    {"models"},
    {"runs"},
    {"evaluation"},
    {"training"},
    {"variants"},
    {"studies"},
    {"cli"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# The names by which commands are called, and the package's own.
DOORS = {"__init__", "export", "report", "study"}

# A run's model is a LightningModule with its training step, and so what reads runs knows it.
KNOWN = {
    ("runs/build.py", "training.system"),
    ("runs/data.py", "training.system"),
    ("runs/load.py", "training.system"),
    ("runs/load.py", "variants.titles"),
    ("runs/option_names.py", "training.system"),
    ("evaluation/context.py", "training.system"),
    ("evaluation/losses.py", "training.system"),
}

# Who composes and builds configurations.
KNOWS_HYDRA = {"runs/build.py", "training/job.py", "training/job_folder.py", "cli.py"}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str:
    """`networks` of reslag_vae/networks/plain.py, `cli` of reslag_vae/cli.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Dotted names of the modules that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = str(node.module)
            names |= (
                {f"{module}.{alias.name}" for alias in node.names}
                if module == "reslag_vae"
                else {module}
            )
    return names


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    room = room_of(path)
    others = {
        name.removeprefix("reslag_vae.")
        for name in imported(path)
        if name.startswith("reslag_vae.")
    }
    others = {name for name in others if name.partition(".")[0] != room}
    if room not in DOORS:
        above = {name for name in others if FLOOR[name.partition(".")[0]] >= FLOOR[room]}
        assert above <= {module for file, module in KNOWN if file == name_of(path)}
    if name_of(path) not in KNOWS_HYDRA:
        assert not {name for name in imported(path) if name.partition(".")[0] == "hydra"}


def test_every_room_has_its_floor_and_no_exception_is_out_of_date() -> None:
    assert {room_of(path) for path in FILES} - DOORS == FLOOR.keys()
    for file, module in KNOWN:
        assert f"reslag_vae.{module}" in imported(PACKAGE / file)
