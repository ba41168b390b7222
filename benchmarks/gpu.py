"""Settle on a GPU, in under ten minutes and without a network, what a CPU cannot show.

Usage: python -m benchmarks.gpu --out gpu --pictures cifar10-jpeg.tar.gz

Its parts are processes of their own, each with its share of the time: what the machine is; the
tests of tests/gpu; the steps of training beside what people would write instead; a real training
with its evaluation; how long all of Table 1 would take; and a profile. A part that fails or is too
slow stops no other. The folder then holds summary.md, tables, numbers, pictures and zipped logs.

A machine for PyTorch may lack pure Python packages: --pack copies them from this environment into
a folder of the checkout, from where they are used.
"""

import argparse
import os
import shlex
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from benchmarks.gpu_box import FAILED, OUT_OF_TIME, Outcome, Part, run_parts
from benchmarks.gpu_pack import FOLDER, pack
from benchmarks.report import Table, as_markdown

ROOT = Path(__file__).parents[1]
SECONDS = 570.0
TAIL = 25  # lines of a failed part's log in the summary
DRY_RUN = "RESLAG_GPU_DRY_RUN"  # has the tests of tests/gpu run on a CPU

DRY_TESTS = "autoencoder-joint or phase_and_size or launch or fresh or resumed"

# Of a run, what is brought home.
BROUGHT = (
    "metrics.json",
    "metrics.csv",
    "evaluation.json",
    "figures/reconstructions.png",
    "figures/prior_samples.png",
)

SMALL = ("recipe.channels=[2,4]", "recipe.blocks=[1,1]", "data.batch_size=128")
TRAINED = (
    "model=reslag_light",
    "logger=none",
    "callbacks.progress=null",
    "callbacks.images.every=10",
)
EVALUATED = ("samples=64", "reference=2000", "train_images=5000", "tsne=1000")


def main() -> None:
    """Run all parts, and write the summary."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("benchmarks.gpu", description=__doc__, formatter_class=form)
    parser.add_argument("--out", type=Path, default=Path("gpu"), help="(default: %(default)s)")
    parser.add_argument(
        "--pictures", type=Path, help="CIFAR10 as pictures, a folder or a .tar.gz (default: digits)"
    )
    parser.add_argument("--dry-run", action="store_true", help="every part, tiny, on the CPU")
    parser.add_argument("--pack", action="store_true", help="copy the packages, and do no more")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="for all parts (default: %(default)s)"
    )
    arguments = parser.parse_args()
    if arguments.pack:
        missing = pack()
        print(f"{FOLDER}: packed" + (f", without {', '.join(missing)}" if missing else ""))
        return
    outcomes = measure(arguments)
    print((arguments.out / "summary.md").read_text())
    sys.exit(any(own.verdict == FAILED for own in outcomes))


def measure(arguments: argparse.Namespace) -> list[Outcome]:
    """Run all parts into the folder `arguments.out`, and return what has become of each."""
    out = arguments.out.resolve()
    logs = out / "logs"
    out.mkdir(parents=True, exist_ok=True)
    run = ROOT / "runs" / f"gpu_{datetime.now(UTC):%Y-%m-%d_%H-%M-%S}"
    began = time.time()

    def after(outcomes: list[Outcome]) -> None:
        bring_home(run, out)
        note_training(outcomes, out)
        write_summary(outcomes, logs, out, run, began)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
        parts = parts_of(arguments, out, run, Path(work))
        try:
            return run_parts(
                parts, logs, arguments.seconds, variables(arguments, Path(work)), after
            )
        finally:
            zip_logs(logs)


def variables(arguments: argparse.Namespace, work: Path) -> dict[str, str]:
    """Return the environment variables of all parts."""
    places = [str(FOLDER)] if FOLDER.exists() else []
    places += [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {
        "PYTHONPATH": os.pathsep.join(places),
        "PYTHONUNBUFFERED": "1",
        "WANDB_MODE": "offline",
        # What one part has compiled, another one finds.
        "TORCHINDUCTOR_CACHE_DIR": str(work / "compiled"),
    }
    if arguments.dry_run:
        own |= {DRY_RUN: "1", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    return own


def parts_of(arguments: argparse.Namespace, out: Path, run: Path, work: Path) -> list[Part]:
    """Return the parts, in order.

    Args:
        arguments: parsed command line.
        out: folder of the results.
        run: folder of the real training's run.
        work: folder of temporary files.
    """
    dry = ("--dry-run",) if arguments.dry_run else ()
    to = ("--out", str(out))
    steps = module("benchmarks.gpu_steps", *to)
    compiler = None
    if not dry:
        # While the tests do not measure anything, so that the table need not wait for the compiler.
        compiler = Part("compiler", (*steps, "--compile-only"), 0)
    return [
        Part("machine", module("benchmarks.gpu_machine"), 20),
        Part("tests", tests(arguments.dry_run), 90, compiler),
        Part("steps", (*steps, *dry), 170),
        *training(arguments, run, work),
        Part("estimate", module("benchmarks.gpu_estimate", *to), 25),
        # A part that has to be ended takes from those after it: what is wanted least comes last.
        Part("profile", module("benchmarks.gpu_profile", *to, *dry), 25),
    ]


def module(name: str, *options: str) -> tuple[str, ...]:
    """Return the command line of a module."""
    return sys.executable, "-m", name, *options


def tests(dry_run: bool) -> tuple[str, ...]:
    """Return the command line of the tests, in which a warning is no error.

    What PyTorch warns of on a GPU cannot be known where there is none.
    """
    options = ["-v", "-W", "default", "-p", "no:cacheprovider", "--durations=15"]
    options.append(str(ROOT / "tests" / "gpu"))
    if dry_run:
        options += ["-k", DRY_TESTS]
    elif find_spec("xdist"):
        options += ["-n", "4"]
    return module("pytest", *options)


def training(arguments: argparse.Namespace, run: Path, work: Path) -> list[Part]:
    """Return the parts of the real training: its pictures, the training and its evaluation."""
    parts = []
    options = [*TRAINED, f"hydra.run.dir={run}"]
    pictures: Path | None = arguments.pictures
    if pictures is None:
        options.append("data=digits")
    else:
        folder = pictures.resolve()
        if not pictures.is_dir():
            folder = work / "pictures"
            parts.append(Part("pictures", unpacking(pictures.resolve(), folder), 20))
        options += ["data=cifar10_folder", f"data.folder={folder}", f"data.root={work}"]
    if arguments.dry_run:
        options += [*SMALL, "trainer.max_epochs=1", "schedule.epochs=0", "trainer.compile=false"]
    else:
        options += ["trainer.compile=true", "trainer.precision=bf16-mixed"]
    evaluated = [f"run={run}", *EVALUATED]
    if arguments.dry_run:
        evaluated += ["samples=1", "reference=32", "train_images=64", "tsne=0", "figures=false"]
    return [
        *parts,
        Part("training", command("reslag_vae.training.main", *options), 180),
        Part("evaluation", command("reslag_vae.evaluation.command", *evaluated, "logger=none"), 40),
    ]


def unpacking(archive: Path, folder: Path) -> tuple[str, ...]:
    """Return the command line that unpacks an archive of one folder, whole or not at all.

    Args:
        archive: a .tar.gz.
        folder: folder that is there once everything is; without it, the training refuses to begin.
    """
    within = folder.with_suffix(".part")
    unpack = ("tar", "-xzf", str(archive), "--strip-components=1", "-C", str(within))
    steps = (("mkdir", str(within)), unpack, ("mv", str(within), str(folder)))
    return "sh", "-c", " && ".join(map(shlex.join, steps))


def command(place: str, *options: str) -> tuple[str, ...]:
    """Return the command line of train.py or evaluate.py.

    It does without their door, which wants torchvision: neither pictures nor digits need it.
    """
    return sys.executable, "-c", f"from {place} import main; main()", *options


def bring_home(run: Path, out: Path) -> None:
    """Copy what a run has written so far, and is worth keeping, into the folder of the results."""
    for path in (run / name for name in BROUGHT):
        if path.exists():
            shutil.copy2(path, out / path.name)


def note_training(outcomes: Sequence[Outcome], out: Path) -> None:
    """Write how long the real training took, for the estimate."""
    for own in outcomes:
        if own.name == "training":
            (out / "training_seconds.txt").write_text(f"{own.seconds:.3f}\n")


def write_summary(
    outcomes: Sequence[Outcome], logs: Path, out: Path, run: Path, began: float
) -> None:
    """Write summary.md: what has become of each part, and the end of the logs of those that failed.

    Args:
        outcomes: outcomes so far.
        logs: folder of the logs.
        out: folder of the results.
        run: folder of the real training's run.
        began: time of the start, in seconds of the system's clock.
    """
    rows = [(own.name, own.verdict, f"{own.seconds:.0f}", own.words) for own in outcomes]
    rows.append(("all", "", f"{time.time() - began:.0f}", ""))
    texts = [as_markdown(Table("Parts", ("part", "verdict", "seconds", ""), rows))]
    for name in ("steps.md", "estimate.md"):
        if (out / name).exists():
            texts.append((out / name).read_text().strip())
    for own in outcomes:
        if own.name == "training" and own.verdict == OUT_OF_TIME:
            words = ["python", "train.py", f"resume={run}"]
            where = "with data.root= and data.folder= where its pictures are, if they were unpacked"
            texts.append(f"The training goes on where it was by `{shlex.join(words)}`, {where}.")
        if own.verdict == FAILED or own.name == "tests":
            texts.append(f"**{own.name}, the end of its log**\n\n```\n{tail(logs, own.name)}\n```")
    (out / "summary.md").write_text("\n\n".join(texts) + "\n")


def tail(logs: Path, name: str) -> str:
    """Return the last lines of a part's log."""
    lines = (logs / f"{name}.txt").read_text(errors="replace").splitlines()
    return "\n".join(lines[-TAIL:])


def zip_logs(logs: Path) -> None:
    """Put the logs into logs.zip beside their folder, in its place."""
    with zipfile.ZipFile(logs.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(logs.glob("*.txt")):
            archive.write(path, path.name)
    shutil.rmtree(logs, ignore_errors=True)


if __name__ == "__main__":
    main()
