"""What tests of whole runs share: small options, what a run leaves, and real processes."""

import csv
import json
import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

ROOT = Path(__file__).parents[1]

# Real images, beside a checkout that has them.
REAL = ROOT.parent / "shared" / "data"
TINY = (
    "data=digits",
    "data.batch_size=128",
    "recipe.channels=[4,8]",
    "recipe.blocks=[1,1]",
    "trainer.accelerator=cpu",
)
SMALL = (*TINY, "logger=none")
BARE = (
    *SMALL,
    "callbacks.images=null",
    "callbacks.collapse=null",
    "callbacks.progress=null",
    "callbacks.curves=null",
)
# Of the fixture `small_digits`, with five minibatches an epoch.
EIGHT = ("recipe.image_shape=[1,8,8]", "data.batch_size=32")
SMALL_8 = (*SMALL, *EIGHT)
BARE_8 = (*BARE, *EIGHT)
METRICS = {"loss", "rec", "kl", "kl_per_dim", "elbo", "bits_per_dim", "sigma2"}


def checkpoint(folder: Path, which: str) -> dict[str, Any]:
    """Read without running any code in it."""
    content: dict[str, Any] = torch.load(
        folder / "checkpoints" / f"{which}.ckpt", weights_only=True
    )
    return content


def rows(folder: Path) -> list[dict[str, str]]:
    """metrics.csv without what the clock says."""
    with (folder / "metrics.csv").open() as file:
        return [
            {k: v for k, v in row.items() if k != "images_per_second"}
            for row in csv.DictReader(file)
        ]


def metrics(folder: Path) -> dict[str, Any]:
    """metrics.json without what the clock says."""
    result: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return {
        name: value
        for name, value in result.items()
        if name not in ("seconds", "images_per_second")
    }


def same(first: Any, second: Any) -> bool:
    """Whether two trees of containers and tensors are equal, bitwise."""
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(
            same(a, b) for a, b in zip(first, second, strict=True)
        )
    return torch.equal(first, second) if isinstance(first, Tensor) else bool(first == second)


def assert_same_runs(first: Path, second: Path) -> None:
    """Everything that is kept of two runs is equal, bitwise, but for the clock."""
    for which in ("best", "last"):
        one, other = checkpoint(first, which), checkpoint(second, which)
        for part in (
            "epoch",
            "global_step",
            "state_dict",
            "optimizer_states",
            "lr_schedulers",
            "progress",
        ):
            assert same(one[part], other[part]), f"{part} of {which}.ckpt differs"
    assert rows(first) == rows(second)
    assert metrics(first) == metrics(second)


def wandb_records(path: Path) -> Iterator[Any]:
    """Return what W&B has written of a run.

    The file is in the format of LevelDB's logs, after a header of W&B's own.
    """
    from wandb.proto import wandb_internal_pb2

    content, at, parts = path.read_bytes(), 7, b""
    while at + 7 <= len(content):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768  # no header fits into the rest of the block
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        parts += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield wandb_internal_pb2.Record.FromString(parts)
            parts = b""


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "train.py"), *arguments]


# Forked from a process that has loaded what they need and trained nothing: seconds sooner than from
# nothing.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["served"])


def fork(folder: Path, *arguments: str, script: str = "train.py", **variables: str) -> BaseProcess:
    """Start a script as a shell would, in a working directory, with a changed environment.

    What it says goes into the files `said` and `complained` beside that directory. It has
    the digits that the test has, such as `small_digits`.
    """
    said, complained = (
        folder.with_name(f"{folder.name}.{name}") for name in ("said", "complained")
    )
    order = {
        "folder": str(folder),
        "environment": os.environ | variables,
        "files": [str(said), str(complained)],
    }
    before = sys.argv
    # multiprocessing hands this process' own on.
    sys.argv = [
        str(ROOT / "tests" / "forked.py"),
        json.dumps(order),
        str(ROOT / script),
        *arguments,
    ]
    path = os.pathsep.join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    try:
        with patch.dict(os.environ, PYTHONPATH=path):  # where the server finds `served`
            forkserver.ensure_running()
        process = FORKS.Process(target=runpy.run_path, args=(sys.argv[0],))
        process.start()
    finally:
        sys.argv = before
    return process


def start(folder: Path, *arguments: str, **options: str) -> subprocess.CompletedProcess[str]:
    """Run a script to its end, train.py or another: see `fork`."""
    process = fork(folder, *arguments, **options)
    try:
        process.join(300)
        assert process.exitcode is not None, "it takes too long"
    finally:
        process.kill()
        process.join()
    said, complained = (
        folder.with_name(f"{folder.name}.{name}").read_text() for name in ("said", "complained")
    )
    return subprocess.CompletedProcess(arguments, process.exitcode, said, complained)
