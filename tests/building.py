"""The package as a wheel."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout in a folder; skips where what builds it is not installed."""
    reason = "hatchling builds the wheel: pip install -e '.[dev]'"
    wheels = pytest.importorskip("hatchling.builders.wheel", reason=reason)
    (path,) = wheels.WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(path)
