"""The curves of a run's training: what is drawn where."""

import math

import pytest
from matplotlib.figure import Figure

from reslag_vae.evaluation.pictures.history import training_curves

Rows = list[dict[str, float]]


def epochs(count: int, **columns: float) -> Rows:
    """Rows of metrics.csv whose values fall."""
    base = {"train/loss": 10.0, "val/loss": 12.0, "val/rec": 3.0} | columns
    return [
        {"epoch": e} | {name: value / e for name, value in base.items()}
        for e in range(1, count + 1)
    ]


def panels(figure: Figure) -> dict[str, list[list[tuple[float, float]]]]:
    """The points of every line by the title of its panel."""
    return {
        axis.get_title(loc="left"): [
            [(float(x), float(y)) for x, y in line.get_xydata()]  # type: ignore[union-attr]
            for line in axis.get_lines()
            if len(line.get_xydata())  # type: ignore[arg-type]
        ]
        for axis in figure.axes
    }


def test_there_is_a_panel_for_each_number_that_the_run_has() -> None:
    found = panels(training_curves(epochs(2), [], "VAE", "val/loss"))
    assert list(found) == ["loss (the objective's unit)", "Rec (squared error per image)"]
    train, val, best = found["loss (the objective's unit)"]
    assert train == [(1, 10), (2, 5)]
    assert val == [(1, 12), (2, 6)]
    assert [x for x, _ in best] == [2, 2]


def test_one_epoch_is_a_visible_dot() -> None:
    figure = training_curves(epochs(1), [], "VAE", "val/loss")
    lines = [line for line in figure.axes[0].get_lines() if len(line.get_xdata()) == 1]  # type: ignore[arg-type]
    assert len(lines) == 2
    assert all(line.get_marker() == "o" and line.get_markersize() >= 5 for line in lines)


def test_the_scale_ignores_the_first_tenth_of_many_epochs() -> None:
    rows = epochs(100)
    rows[0]["train/loss"] = 1e6
    low, high = training_curves(rows, [], "VAE", "val/loss").axes[0].get_ylim()
    assert low < 0.1
    assert high < 2


def test_counts_are_drawn_from_zero() -> None:
    rows = [{"epoch": 1.0, "val/active_units": 9.0}, {"epoch": 2.0, "val/active_units": 10.0}]
    [axis] = training_curves(rows, [], "VAE", "val/loss").axes
    assert axis.get_title(loc="left") == "active units"
    assert axis.get_ylim()[0] == 0


def test_each_level_of_codes_has_a_panel() -> None:
    columns = {"val/codes_used_top": 9.0, "val/codes_used_bottom": 20.0}
    found = panels(training_curves(epochs(2, **columns), [], "VQ-VAE-2", "val/loss"))
    assert list(found)[2:] == ["codes in use, top", "codes in use, bottom"]


def test_entries_within_epochs_are_drawn_alone_and_beside() -> None:
    steps: Rows = [{"epoch": 0.5, "step/loss": 20.0, "images_seen": 8}]
    alone = panels(training_curves([], steps, "VAE", "val/loss"))
    assert alone == {"loss (the objective's unit)": [[(0.5, 20)]]}
    beside = panels(training_curves(epochs(1), steps, "VAE", "val/loss"))
    assert beside["loss (the objective's unit)"][0] == [(0.5, 20)]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_epoch_that_diverged_is_not_the_best(value: float) -> None:
    rows = epochs(3)
    rows[2]["val/loss"] = -value
    figure = training_curves(rows, [], "VAE", "val/loss")
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["train", "val", "best epoch, 2"]
    figure.canvas.draw()
