"""Write where the time of 20 training steps goes, eager and compiled.

Usage: python -m benchmarks.gpu_profile --out gpu
"""

import argparse
from pathlib import Path

import torch

from benchmarks.profiling import profile_steps
from benchmarks.workloads import WORKLOADS
from reslag_vae._runtime import process
from reslag_vae._runtime.files import write_atomically

BATCH_SIZE, STEPS, ROWS = 32, 20, 40
WAYS = {
    "eager": ("trainer.compile=false",),
    "compiled": ("trainer.compile=true",),
    "compiled_bf16": ("trainer.compile=true", "trainer.precision=bf16-mixed"),
}


def main() -> None:
    """Write the profiles, each as soon as it is there."""
    parser = argparse.ArgumentParser("python -m benchmarks.gpu_profile", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the profiles")
    parser.add_argument("--dry-run", action="store_true", help="two eager steps")
    arguments = parser.parse_args()
    process.quiet()
    process.tune()
    process.allow_rounded_products(True)
    ways = {"eager": WAYS["eager"]} if arguments.dry_run else WAYS
    for name, overrides in ways.items():
        text = profiled(overrides, 2 if arguments.dry_run else STEPS)
        write_atomically(arguments.out / f"profile_{name}.txt", text)


def profiled(overrides: tuple[str, ...], steps: int) -> str:
    """Return the profile of some steps on CIFAR10's size, each launched by itself, as text."""
    torch.compiler.reset()
    profiler = profile_steps(WORKLOADS["cifar10"], BATCH_SIZE, steps, overrides)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    averages = profiler.profile.key_averages()
    table = averages.table(sort_by=f"self_{device}_time_total", row_limit=ROWS)
    return f"{1e3 * profiler.seconds:.3f} ms a step without the profiler\n\n{table}\n"


if __name__ == "__main__":
    main()
