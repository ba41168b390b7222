"""The likelihood variance over the epochs."""

import numpy as np
import pytest

from reslag_vae.evaluation.pictures.curves import sigma2_curves

Row = dict[str, float]


def rows(scale: float) -> list[Row]:
    """Three epochs; in each, the variances lie between scale and 4 scale."""
    return [
        {
            "epoch": e,
            "sigma2/mean": 2 * scale,
            "sigma2/std": scale / 2,
            "sigma2/min": scale,
            "sigma2/max": 4 * scale,
        }
        for e in (1, 2, 3)
    ]


def test_mean_band_and_extremes_are_those_of_the_rows() -> None:
    [axis] = sigma2_curves({"VAE": rows(0.1)}).axes
    low, high, mean = axis.lines

    for line, value in ((low, 0.1), (high, 0.4), (mean, 0.2)):
        assert line.get_xdata() == pytest.approx([1, 2, 3])
        assert line.get_ydata() == pytest.approx([value] * 3)
    [band] = axis.collections
    edges = np.concatenate([path.vertices for path in band.get_paths()])
    assert {*edges[:, 1].round(6)} == {0.15, 0.25}
    assert mean.get_label() == "VAE"
    assert mean.get_linewidth() > low.get_linewidth()


def test_models_differ_in_colour_and_dashes() -> None:
    figure = sigma2_curves({f"model {i}": rows(0.1 + 0.01 * i) for i in range(7)})
    [legend] = figure.legends
    means = [line for line in figure.axes[0].lines if not str(line.get_label()).startswith("_")]

    assert [text.get_text() for text in legend.get_texts()] == [f"model {i}" for i in range(7)]
    assert len({line.get_color() for line in means}) == 7
    assert len({str(line._dash_pattern) for line in means}) == 7  # type: ignore[attr-defined]


@pytest.mark.parametrize(("second", "scale"), [(0.2, "linear"), (0.3, "log")])
def test_the_scale_is_logarithmic_beyond_a_decade(second: float, scale: str) -> None:
    [axis] = sigma2_curves({"a": rows(0.1), "b": rows(second)}).axes
    assert axis.get_yscale() == scale


def test_a_single_epoch_is_seen() -> None:
    [axis] = sigma2_curves({"VAE": rows(0.1)[:1]}).axes
    assert all(line.get_marker() == "." for line in axis.lines)
    assert [tick for tick in axis.get_xticks() if 0.9 < tick < 1.1] == [1]


def test_a_row_without_variances_is_an_error() -> None:
    with pytest.raises(KeyError, match="sigma2/mean"):
        sigma2_curves({"AutoEncoder": [{"epoch": 1.0}]})
