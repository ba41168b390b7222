"""Pure Python packages in a folder of their own, for a machine that has PyTorch and no network."""

import shutil
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "gpu_packages"

# What this package imports, and what a machine for PyTorch may be without.
PACKAGES = ("antlr4", "filelock", "hydra", "omegaconf", "yaml", "zuko")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", "*.pyx", "tests", "test")


def pack(folder: Path = FOLDER) -> list[str]:
    """Copy the packages of this environment, and return the names of those that are missing.

    Compiled modules are left out, without which they work too.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    missing = []
    for name in PACKAGES:
        found = find_spec(name)
        if found is None or not found.submodule_search_locations:
            missing.append(name)
            continue
        source = Path(next(iter(found.submodule_search_locations)))
        shutil.copytree(source, folder / name, ignore=LEFT_OUT)
    return missing
