"""Measure where the time of a joint training step goes, by kind of operation.

Usage: python -m benchmarks.profiling

PyTorch's profiler measures the self times in some steps of the Trainer. On a GPU the sum of the
kernels' times is set beside the wall time of as many steps without the profiler: if the ratio is
near one, the GPU never waits for Python.
"""

import os
import re
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch.profiler import ProfilerActivity, profile

from benchmarks.report import Table, parser, publish, synchronize
from benchmarks.workloads import WORKLOADS, Workload, compose_config
from reslag_vae._runtime import process
from reslag_vae._runtime.process import quiet
from reslag_vae.training.build import build
from reslag_vae.training.callbacks import callbacks_of

BATCH_SIZE = 128
WARM_UP = 5  # steps before anything is measured
TOP = 10  # kernels in the GPU's table

# The kind of an operation is that of the first pattern found in its name.
FAMILIES = {
    "convolution, forward": r"convolution$",
    "convolution, backward": r"convolution_?backward",
    "batch normalisation": r"batch_?norm",
    "optimizer": r"adam|optimizer",
    "matrix products": r"mm$|linear",
    "copies": r"copy|clone|cat$|index|fill_|zero_",
    "elementwise": (
        r"\b(add|sub|rsub|mul|div|pow|square|sqrt|exp|log|neg|sum|mean|var|std|normal|randn|clamp"
        r"|where|relu|threshold|sigmoid|softplus|maximum|minimum|lerp)"
    ),
}

Profile = dict[str, Any]


class Profiler(Callback):
    """A callback that times `steps` steps without the profiler, and then as many with it."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.started, self.seconds = 0.0, 0.0
        activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * torch.cuda.is_available()
        self.profile = profile(activities=activities)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Start the clock after the warm-up, and the profiler after the timed steps."""
        if batch_idx == WARM_UP:
            synchronize()
            self.started = time.perf_counter()
        elif batch_idx == WARM_UP + self.steps:
            synchronize()
            self.seconds = (time.perf_counter() - self.started) / self.steps
            self.profile.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop the profiler after the last step."""
        if batch_idx == WARM_UP + 2 * self.steps - 1:
            synchronize()
            self.profile.stop()


def main() -> None:
    """Measure, and write the tables."""
    command = parser(__doc__, "profiling")
    command.add_argument("--works", nargs="+", choices=list(WORKLOADS), default=list(WORKLOADS))
    command.add_argument(
        "--steps", type=int, default=10, help="with the profiler (default: %(default)s)"
    )
    arguments = command.parse_args()
    quiet()
    process.tune()
    results = {name: profiled(WORKLOADS[name], arguments.steps) for name in arguments.works}
    publish(arguments, "profiling", tables(results), results)


def profiled(work: Workload, steps: int) -> Profile:
    """Return the wall seconds of a step, and the self seconds of its operations and kernels."""
    profiler = profile_steps(work, BATCH_SIZE, steps, ("trainer.compile=false",))
    operations, kernels = {}, {}
    for event in profiler.profile.key_averages():
        if event.device_type.name == "CPU":
            operations[event.key] = event.self_cpu_time_total / 1e6 / steps
        elif not event.is_user_annotation:  # an annotation spans kernels that are listed, too
            kernels[event.key] = event.self_device_time_total / 1e6 / steps
    print(f"{work.name}: {1e3 * profiler.seconds:,.1f} ms per step", flush=True)
    return {"wall": profiler.seconds, "operations": operations, "kernels": kernels}


def profile_steps(
    work: Workload, batch_size: int, steps: int, overrides: tuple[str, ...]
) -> Profiler:
    """Return the profiler after some steps of the Trainer, each of one minibatch."""
    count = (WARM_UP + 2 * steps) * batch_size
    options = ("trainer.max_epochs=1", "callbacks.images=null", *overrides)
    config = compose_config(work, batch_size, count, options)
    profiler = Profiler(steps)
    with (
        tempfile.TemporaryDirectory() as folder,
        open(os.devnull, "w") as nowhere,
        redirect_stdout(nowhere),
    ):
        data, model, trainer = build(config, Path(folder))
        callbacks_of(trainer).append(profiler)
        trainer.fit(model, data)
    return profiler


def family(name: str) -> str:
    """Return the kind of an operation."""
    for kind, pattern in FAMILIES.items():
        if re.search(pattern, name, re.IGNORECASE):
            return kind
    return "other"


def tables(results: dict[str, Profile]) -> list[Table]:
    """Return the kinds of operations on a CPU; on a GPU its load and its longest kernels."""
    if torch.cuda.is_available():
        return [busy(results), *(longest(name, result) for name, result in results.items())]
    kinds = {
        kind: [_share(result["operations"], kind) for result in results.values()]
        for kind in [*FAMILIES, "other"]
    }
    rows = [(kind, *(f"{100 * share:.1f} %" for share in shares)) for kind, shares in kinds.items()]
    walls = [f"{1e3 * result['wall']:,.1f}" for result in results.values()]
    rows.append(("ms per step, without the profiler", *walls))
    title = f"Share of the operators' own time in a joint step, batch {BATCH_SIZE}"
    return [Table(title, ("", *results), rows)]


def busy(results: dict[str, Profile]) -> Table:
    """Return the table of the GPU's computing time beside the time of a step."""
    rows = []
    for name, result in results.items():
        computing, wall = sum(result["kernels"].values()), result["wall"]
        cells = (f"{1e3 * computing:.2f}", f"{1e3 * wall:.2f}", f"{computing / wall:.2f}")
        rows.append((name, *cells))
    columns = ("", "ms of kernels per step", "ms per step, without the profiler", "ratio")
    return Table(f"How busy the GPU is in a joint step, batch {BATCH_SIZE}", columns, rows)


def longest(name: str, result: Profile) -> Table:
    """Return the table of the kernels that take most of a workload's step."""
    kernels = sorted(result["kernels"].items(), key=lambda kernel: kernel[1], reverse=True)
    total = sum(seconds for _, seconds in kernels)
    # A kernel's name is its whole C++ signature.
    rows = [
        (key[:80], f"{1e3 * seconds:.3f}", f"{100 * seconds / total:.1f} %")
        for key, seconds in kernels[:TOP]
    ]
    return Table(f"Longest kernels of {name}", ("kernel", "ms per step", "share"), rows)


def _share(operations: dict[str, float], kind: str) -> float:
    own = sum(seconds for name, seconds in operations.items() if family(name) == kind)
    return own / sum(operations.values())


if __name__ == "__main__":
    main()
