"""Rate against distortion."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from reslag_vae.evaluation.pictures.rates import RatePoint, rate_distortion

RUNS = [
    RatePoint("AutoEncoder", None, 8.2),
    RatePoint("VAE", 17.0, 10.0),
    RatePoint("Beta VAE", 4.0, 28.0, beta=40),
    RatePoint("Beta VAE", 25.0, 8.5, beta=0.1),
    RatePoint("Beta VAE", 15.0, 11.0, beta=1),
]


def markers(axis: Axes) -> dict[object, list[list[float]]]:
    """(rate, distortion) of the points of each model."""
    return {
        line.get_label(): np.asarray(line.get_xydata()).tolist()
        for line in axis.lines
        if line.get_linestyle() == "None"
    }


def test_runs_lie_at_their_rate_and_distortion() -> None:
    [axis] = rate_distortion(RUNS).axes
    assert markers(axis) == {"VAE": [[17, 10]], "Beta VAE": [[4, 28], [25, 8.5], [15, 11]]}


def test_a_sweep_is_joined_by_beta_and_shows_it() -> None:
    [axis] = rate_distortion(RUNS).axes
    [curve] = [
        line
        for line in axis.lines
        if line.get_linestyle() == "-" and len(np.asarray(line.get_xdata()))
    ]

    assert np.asarray(curve.get_xydata()).tolist() == [[25, 8.5], [15, 11], [4, 28]]
    assert {text.get_text(): text.xy for text in axis.texts} == {  # type: ignore[attr-defined]
        "β 0.1": (25, 8.5),
        "β 1": (15, 11),
        "β 40": (4, 28),
    }


def test_what_has_no_rate_is_a_line_across() -> None:
    figure = rate_distortion(RUNS, pca=12.0)
    [axis] = figure.axes
    [dashed] = [line for line in axis.lines if line.get_linestyle() == "--"]
    [dotted] = axis.collections

    assert dashed.get_ydata() == [12, 12]
    assert dotted.get_segments()[0].tolist() == [[0, 8.2], [1, 8.2]]  # type: ignore[attr-defined]
    assert sorted(text.get_text() for text in figure.legends[0].get_texts()) == [
        "AutoEncoder, no rate",
        "Beta VAE",
        "PCA, the linear limit",
        "VAE",
    ]


def test_axes_are_logarithmic_beyond_a_decade() -> None:
    [near] = rate_distortion(RUNS, pca=80.0).axes
    [far] = rate_distortion([*RUNS, RatePoint("VAE", 0.3, 90.0)]).axes
    [collapsed] = rate_distortion([*RUNS, RatePoint("VAE", 0.0, 50.0)]).axes

    assert (near.get_xscale(), near.get_yscale()) == ("linear", "linear")
    assert (far.get_xscale(), far.get_yscale()) == ("log", "log")
    assert collapsed.get_xscale() == "linear"


def test_without_any_rate_the_axis_has_no_scale() -> None:
    [axis] = rate_distortion(RUNS[:1], pca=12.0).axes
    assert list(axis.get_xticks()) == []


def test_betas_do_not_lie_on_each_other() -> None:
    figure = rate_distortion(RUNS, pca=12.0)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in figure.axes[0].texts]

    assert len(boxes) == 3
    for i, box in enumerate(boxes):
        assert box.count_overlaps([*boxes[:i], *boxes[i + 1 :]]) == 0
