"""The tables that a run prints: its objective card at the start, its result at the end."""

from pathlib import Path
from typing import Any

from rich.table import Table

from reslag_vae._runtime.errors import printable
from reslag_vae._runtime.terminal import console
from reslag_vae.evaluation.numbers import format_number
from reslag_vae.runs.folder import RESULT_FILE, figure_files
from reslag_vae.training.measure import METRICS
from reslag_vae.training.system import BaseVAE


def show_result(result: dict[str, Any], folder: Path, mass: bool) -> None:
    """Print a short table of a result, and the paths of its files.

    Args:
        result: content of metrics.json.
        folder: folder of the run.
        mass: whether the likelihood is a mass, which is its own yardstick.
    """
    table = Table()
    for column in ("", "val", "test"):
        table.add_column(column, justify="right" if column else "left")
    for name in METRICS:
        table.add_row(name, *(format_number(result[split][name]) for split in ("val", "test")))
    shown = console()
    # Not the table's own title, which would be broken where the table is narrower.
    shown.print(
        f"{result['model']} on {result['data']}, epoch {result['epoch']}",
        style="italic",
        highlight=False,
    )
    shown.print(table)
    if result["val"]["elbo"] is not None and not mass:
        shown.print(
            "elbo: with the error of these weights on train; that of an epoch's line is with the "
            "error while it was trained",
            soft_wrap=True,
            highlight=False,
        )
    shown.print(
        f"stopped because {result['stopped_because']}; {result['images_per_second']:.0f} images/s"
    )
    for path in (folder / RESULT_FILE, *figure_files(folder)):
        shown.print(f"  {printable(str(path))}", soft_wrap=True, highlight=False)


def show_card(model: BaseVAE) -> None:
    """Print the objective card: what is minimised, in which units, by which optimizer."""
    table = Table(title="objective card", title_justify="left", show_header=False)
    training = {"schedule": str(model.schedule), "optimizer": str(model.optimizer)}
    for label, text in (model.card() | training).items():
        table.add_row(label, text)
    console().print(table)
