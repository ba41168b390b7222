"""The curves of a run's training: a panel for each number, over epochs."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from reslag_vae.evaluation.pictures.axes import POINTS, settled, zoom_to
from reslag_vae.evaluation.pictures.figures import default_settings, drawable
from reslag_vae.evaluation.pictures.palette import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Rows = Sequence[dict[str, float]]

WIDTH, HEIGHT, HEAD = 7.5, 2.5, 0.75  # inches of the picture, of a line of panels, above them
COLUMNS = 2
LONGEST_TITLE = 60
MOST_MARKERS = 40  # epochs; more are lines alone

TRAIN, VAL, STEP = COLORS[0], COLORS[5], "#9db4ff"
BEST = "#555555"


class Panel(NamedTuple):
    """A panel of the picture.

    Attributes:
        title: what is drawn, with its unit.
        train: column of metrics.csv with the number on the training split; empty for none.
        val: the same of the validation split.
        band: columns of the smallest and the largest value around `train`.
        counts: whether it is a count, which is drawn from 0.
    """

    title: str
    train: str
    val: str
    band: tuple[str, str] | None = None
    counts: bool = False


PANELS = (
    Panel("loss (the objective's unit)", "train/loss", "val/loss"),
    Panel("ELBO of the yardstick (nats)", "train/elbo", "val/elbo"),
    Panel("Rec (squared error per image)", "train/rec", "val/rec"),
    Panel("KL (nats per image)", "train/kl", "val/kl"),
    Panel("σ² of minibatches and its range", "sigma2/mean", "", ("sigma2/min", "sigma2/max")),
    Panel("active units", "", "val/active_units", counts=True),
    Panel("codes in use", "", "val/codes_used", counts=True),
    Panel("codes in use, top", "", "val/codes_used_top", counts=True),
    Panel("codes in use, bottom", "", "val/codes_used_bottom", counts=True),
)


@default_settings()
def training_curves(epochs: Rows, steps: Rows, title: str, monitor: str) -> "Figure":
    """Draw the numbers of a run over its epochs, on the training and on the validation split.

    The dotted line is the best epoch so far. Numbers that the run does not log have no panel. The
    scale ignores the first tenth of the epochs, whose values are far off.

    Args:
        epochs: rows of metrics.csv.
        steps: rows of steps.csv, within epochs; none for short epochs.
        title: title of the run's model.
        monitor: column whose smallest value is that of the best epoch.
    """
    from matplotlib.figure import Figure

    names = {name for row in (*epochs, *steps) for name in row}
    panels = [own for own in PANELS if names & columns_of(own)]
    lines = math.ceil(len(panels) / COLUMNS)
    height = lines * HEIGHT + HEAD
    figure = Figure(figsize=(WIDTH, height), facecolor="white")
    # A layout engine would take most of the time.
    figure.subplots_adjust(
        0.1, 0.55 / height, 0.98, 1 - (HEAD + 0.3) / height, wspace=0.25, hspace=0.45
    )
    best = best_epoch(epochs, monitor)
    for number, panel in enumerate(panels):
        axis = figure.add_subplot(lines, COLUMNS, number + 1)
        draw_panel(axis, panel, epochs, steps, best)
        if number >= len(panels) - COLUMNS:
            axis.set_xlabel("epoch", fontsize=POINTS)
    add_head(figure, title, bool(steps), best)
    return figure


def columns_of(panel: Panel) -> set[str]:
    """Return the columns that a panel draws, of metrics.csv and steps.csv."""
    return {panel.train, panel.val, step_column(panel)} - {""}


def step_column(panel: Panel) -> str:
    """Return the column of steps.csv with a panel's number; empty for none."""
    split, _, name = panel.train.partition("/")
    return f"step/{name}" if split == "train" else ""


def best_epoch(epochs: Rows, monitor: str) -> float | None:
    """Return the epoch with the smallest finite monitored value; None without one."""
    finite = [row for row in epochs if math.isfinite(row.get(monitor, math.nan))]
    return min(finite, key=lambda row: row[monitor])["epoch"] if finite else None


def draw_panel(axis: "Axes", panel: Panel, epochs: Rows, steps: Rows, best: float | None) -> None:
    """Draw one panel."""
    from matplotlib.ticker import MaxNLocator, ScalarFormatter

    draw_line(axis, steps, step_column(panel), STEP)
    draw_line(axis, epochs, panel.train, TRAIN)
    draw_line(axis, epochs, panel.val, VAL)
    shown = [panel.train, panel.val]
    if panel.band is not None:
        places, low = points_of(epochs, panel.band[0])
        _, high = points_of(epochs, panel.band[1])
        axis.fill_between(places, low, high, color=TRAIN, alpha=0.2, linewidth=0)
        shown += panel.band
    if best is not None:
        axis.axvline(best, color=BEST, linestyle=":", linewidth=1.2, zorder=0)
    values = [row[name] for row in settled(epochs) for name in shown if name in row]
    if panel.counts:
        axis.set_ylim(0, 1.15 * max(values, default=1) or 1)
    else:
        zoom_to(axis, values)
    axis.set_title(panel.title, fontsize=POINTS, loc="left")
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    axis.yaxis.set_major_locator(MaxNLocator(4, integer=panel.counts))
    axis.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
    axis.tick_params(labelsize=POINTS - 1)
    axis.spines[["top", "right"]].set_visible(False)


def draw_line(axis: "Axes", rows: Rows, name: str, color: str) -> None:
    """Draw a column over the epochs, with a dot for each unless these are many."""
    epochs, values = points_of(rows, name)
    marker = "o" if len(epochs) <= MOST_MARKERS else ""
    size = 6 if len(epochs) == 1 else 3
    axis.plot(epochs, values, color=color, linewidth=1.5, marker=marker, markersize=size)


def points_of(rows: Rows, name: str) -> tuple[list[float], list[float]]:
    """Return epochs and values of the rows that have a column."""
    found = [row for row in rows if name in row]
    return [row["epoch"] for row in found], [row[name] for row in found]


def add_head(figure: "Figure", title: str, within: bool, best: float | None) -> None:
    """Add the title and the key above the panels."""
    from matplotlib.lines import Line2D

    figure.suptitle(
        drawable(title, LONGEST_TITLE), x=0.02, y=0.99, ha="left", va="top", fontsize=POINTS + 1
    )
    keys = [Line2D([], [], color=TRAIN, marker="o"), Line2D([], [], color=VAL, marker="o")]
    names = ["train", "val"]
    if within:
        keys.append(Line2D([], [], color=STEP))
        names.append("train, within epochs")
    if best is not None:
        keys.append(Line2D([], [], color=BEST, linestyle=":"))
        names.append(f"best epoch, {best:g}")
    top = 1 - 0.3 / figure.get_figheight()
    figure.legend(
        keys,
        names,
        loc="upper left",
        bbox_to_anchor=(0.0, top),
        ncols=len(keys),
        fontsize=POINTS,
        frameon=False,
        columnspacing=1.2,
        handlelength=1.4,
    )
