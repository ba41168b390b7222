"""What tests of whole runs share: small options, what a run leaves, and real processes."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

ROOT = Path(__file__).parents[1]
TINY = (
    "data=digits",
    "data.batch_size=128",
    "recipe.channels=[4,8]",
    "recipe.blocks=[1,1]",
    "trainer.accelerator=cpu",
)
SMALL = (*TINY, "logger=none")
BARE = (*SMALL, "callbacks.images=null", "callbacks.collapse=null", "callbacks.progress=null")
METRICS = {"loss", "rec", "kl", "kl_per_dim", "elbo", "bits_per_dim", "sigma2"}


def checkpoint(folder: Path, which: str) -> dict[str, Any]:
    """Read without running any code in it."""
    content: dict[str, Any] = torch.load(folder / "checkpoints" / f"{which}.ckpt", weights_only=True)
    return content


def rows(folder: Path) -> list[dict[str, str]]:
    """metrics.csv without what the clock says."""
    with (folder / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "images_per_second"} for row in csv.DictReader(file)]


def metrics(folder: Path) -> dict[str, Any]:
    """metrics.json without what the clock says."""
    result: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return {name: value for name, value in result.items() if name not in ("seconds", "images_per_second")}


def same(first: Any, second: Any) -> bool:
    """Whether two trees of containers and tensors are equal, bitwise."""
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(same(a, b) for a, b in zip(first, second, strict=True))
    return torch.equal(first, second) if isinstance(first, Tensor) else bool(first == second)


def assert_same_runs(first: Path, second: Path) -> None:
    """Everything that is kept of two runs is equal, bitwise, but for the clock."""
    for which in ("best", "last"):
        one, other = checkpoint(first, which), checkpoint(second, which)
        for part in ("epoch", "global_step", "state_dict", "optimizer_states", "lr_schedulers", "progress"):
            assert same(one[part], other[part]), f"{part} of {which}.ckpt differs"
    assert rows(first) == rows(second)
    assert metrics(first) == metrics(second)


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "train.py"), *arguments]


def start(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run train.py to its end, in an empty working directory."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command(*arguments), cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
