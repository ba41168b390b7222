import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from reslag_vae.evaluation import pictures
from reslag_vae.evaluation.pictures import RatePoint
from reslag_vae.evaluation.pictures.curves import SIGMA2_KEYS
from reslag_vae.evaluation.pictures.figures import (
    ACTIVE,
    INACTIVE,
    drawable,
    image_grid,
    kl_bars,
    save_figure,
    tiled,
    usage_bars,
)


def numbered(values: Sequence[float]) -> torch.Tensor:
    """Grey 4 x 4 images, one of each value."""
    return torch.tensor(values)[:, None, None, None].expand(len(values), 1, 4, 4)


def test_grid_keeps_broken_rows_interleaved() -> None:
    images = numbered([0.0, 0.1, 0.2, 0.3, 0.4])
    [axis] = image_grid([("input", images), ("output", images + 0.5)], "title", columns=3).axes
    [picture] = axis.images
    mosaic = np.asarray(picture.get_array())

    assert mosaic.shape == (20, 15)
    # The places that stay empty are white.
    assert mosaic[1::5, 1::5].tolist() == [
        pytest.approx(line)
        for line in ([0.0, 0.1, 0.2], [0.5, 0.6, 0.7], [0.3, 0.4, 1.0], [0.8, 0.9, 1.0])
    ]
    assert [label.get_text() for label in axis.get_yticklabels()] == [
        "input",
        "output",
        "input",
        "output",
    ]
    assert list(axis.get_yticks()) == [2.5, 7.5, 12.5, 17.5]
    assert axis.get_figure().get_suptitle() == "title"  # type: ignore[union-attr]
    assert picture.get_clim() == (0, 1)


@pytest.mark.parametrize(("size", "gap"), [((4, 5), 1), ((32, 32), 2)])
@pytest.mark.parametrize("channels", [1, 3])
def test_tiles_are_clamped_channels_last_and_apart(
    channels: int, size: tuple[int, int], gap: int
) -> None:
    height, width = size
    lines = [
        torch.empty(count, channels, height, width).uniform_(-1, 2).requires_grad_()
        for count in (3, 2)
    ]
    mosaic, place = tiled(lines, 3)

    assert place == (height + gap, width + gap)
    assert mosaic.shape == (2 * place[0], 3 * place[1], *([3] if channels == 3 else []))
    assert (mosaic.min(), mosaic.max()) == (0, 1)
    rest = np.ones_like(mosaic)
    for row, images in enumerate(lines):
        for column, image in enumerate(images.detach().clamp(0, 1).permute(0, 2, 3, 1).numpy()):
            top, left = row * place[0] + gap // 2, column * place[1] + gap // 2
            rest[top : top + height, left : left + width] = (
                image.squeeze(-1) if channels == 1 else image
            )
    assert np.array_equal(mosaic, rest)


def heights_of(axis: Axes) -> list[float]:
    """Return the heights of an axis' bars, from the left."""
    (bars,) = axis.collections
    return [path.get_extents().y1 for path in bars.get_paths()]


def test_kl_bars_are_sorted_and_inactive_ones_grey() -> None:
    figure = kl_bars(np.array([0.1, 2.0, 0.0]), np.array([True, True, False]), "title")
    (bars,) = figure.axes[0].collections

    assert heights_of(figure.axes[0]) == [2.0, 0.1, 0.0]
    colors = np.asarray(bars.get_facecolor())
    assert [to_hex(color) for color in colors] == [ACTIVE, ACTIVE, INACTIVE]


def test_kl_bars_are_named_by_their_dimensions_and_have_a_key() -> None:
    figure = kl_bars(np.array([0.1, 2.0, 0.0]), np.array([True, True, False]), "title")
    ticks = figure.axes[0].get_xticklabels()
    assert [label.get_text() for label in ticks] == ["z2", "z1", "z3"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["active (2)", "idle (1)"]


def test_the_key_of_kl_bars_hides_no_bar() -> None:
    """Also where all are as high as the first."""
    figure = kl_bars(np.ones(3), np.array([True, True, False]), "title")
    FigureCanvasAgg(figure).draw()
    (legend,) = figure.legends
    assert not legend.get_window_extent().overlaps(figure.axes[0].get_window_extent())


def test_of_many_dimensions_some_are_named_each_in_its_place() -> None:
    axis = kl_bars(np.arange(64.0), np.ones(64, dtype=bool), "title").axes[0]
    labels = [label.get_text() for label in axis.get_xticklabels()]
    assert labels == [f"z{64 - place}" for place in range(0, 64, 4)]
    assert list(axis.get_xticks()) == list(range(1, 65, 4))


def test_a_long_verdict_is_not_cut() -> None:
    verdict = "partly collapsed: at most half of the latent is used (31 of 150 units active, KL 9)"
    figure = kl_bars(np.ones(2), np.ones(2, dtype=bool), f"Optimal Sigma VAE, epoch 100: {verdict}")
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    assert figure.axes[0]._left_title.get_window_extent().x1 <= figure.bbox.x1  # type: ignore[attr-defined]


def test_of_very_many_dimensions_those_of_the_largest_kl_are_drawn() -> None:
    axis = kl_bars(np.arange(2000.0), np.ones(2000, dtype=bool), "title").axes[0]
    assert heights_of(axis) == list(range(1999, 1499, -1))
    assert axis.get_xlabel() == "latent dimension, largest KL first, 500 of 2,000"


def test_usage_bars_are_sorted() -> None:
    axis = usage_bars([np.array([3, 0, 7])], ["title"]).axes[0]
    assert heights_of(axis) == [7, 3, 0]
    assert axis.get_ylim() == pytest.approx((0, 7.35))


def test_bars_stand_on_their_numbers() -> None:
    (bars,) = usage_bars([np.array([3, 7])], ["title"]).axes[0].collections
    sides = [path.get_extents() for path in bars.get_paths()]
    assert [(own.x0 + own.x1) / 2 for own in sides] == pytest.approx([1, 2])
    assert [own.y0 for own in sides] == [0, 0]


def test_each_level_of_codes_has_bars_and_a_title_of_its_own() -> None:
    axes = usage_bars([np.array([1, 2]), np.array([3, 0, 7])], ["top", "bottom"]).axes
    assert [heights_of(axis) for axis in axes] == [[2, 1], [7, 3, 0]]
    assert [axis.get_title(loc="left") for axis in axes] == ["top", "bottom"]


def test_figure_is_saved_as_png(tmp_path: Path) -> None:
    save_figure(
        image_grid([("row", torch.rand(2, 3, 8, 8))], "title"), tmp_path / "figures" / "a.png"
    )

    assert (tmp_path / "figures" / "a.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert [p.name for p in (tmp_path / "figures").iterdir()] == ["a.png"]


def test_the_users_settings_change_nothing(tmp_path: Path) -> None:
    settings = {
        "axes.facecolor": "black",
        "figure.facecolor": "red",
        "savefig.bbox": "tight",
        "font.size": 20,
    }
    pairs: list[tuple[str, dict[Any, Any]]] = [("plain", {}), ("changed", settings)]
    for name, changed in pairs:
        with matplotlib.rc_context(changed):
            save_figure(kl_bars(np.ones(2), np.ones(2, dtype=bool), "title"), tmp_path / name)
            assert {key: matplotlib.rcParams[key] for key in changed} == changed

    assert (tmp_path / "plain").read_bytes() == (tmp_path / "changed").read_bytes()


# What people call their folders and models.
NAMES = (
    r"$\frac{$",
    "a_b^c$",
    "$x$",
    "_hidden",
    " ",
    os.fsdecode(b"k\xe4se"),
    "e\x1b[2Jscape",
    "n" * 255,
    "猫",
    "\u0378",
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (r"$\frac{$", r"$\frac{$"),
        ("käse", "käse"),
        ("_hidden", " _hidden"),
        ("", "''"),
        (" \u2003", r"' \u2003'"),
        (os.fsdecode(b"k\xe4se"), r"k\udce4se"),
        ("a\nb", r"a\nb"),
        ("n" * 40, "n" * 40),
        ("n" * 41, "n" * 39 + "…"),
    ],
)
def test_names_are_drawn_as_they_are(name: str, expected: str) -> None:
    assert drawable(name) == expected


@pytest.mark.parametrize("name", NAMES)
def test_no_name_spoils_a_picture(name: str, tmp_path: Path) -> None:
    images = torch.rand(8, 1, 4, 4)
    figures = {
        "grid": image_grid([(name, images)], name),
        "bars": kl_bars(np.ones(2), np.ones(2, dtype=bool), name),
        "blocks": pictures.reconstructions(images, {name: images}),
        "samples": pictures.samples({name: {name: images}}),
        "rates": pictures.rate_distortion(
            [RatePoint(name, 1.0, 2.0), RatePoint(f"{name}2", None, 30.0)]
        ),
        "sigma2": pictures.sigma2_curves({name: [dict.fromkeys(SIGMA2_KEYS, 1.0)]}),
        "few": pictures.posterior_scatter(
            {name: torch.rand(2, 2)}, torch.arange(2), [name, "b"], ("x", "y")
        ),
        "many": pictures.posterior_scatter(
            {name: torch.rand(2, 2)}, torch.arange(2), [name] * 11, ("x", "y")
        ),
    }
    for title, figure in figures.items():
        save_figure(figure, tmp_path / title)


def test_a_dollar_is_a_dollar() -> None:
    """Two of them begin a formula elsewhere."""
    figure = image_grid([("row", torch.rand(1, 1, 4, 4))], "$a$")
    assert figure._suptitle.get_parse_math() is False  # type: ignore[attr-defined]
    assert figure.get_suptitle() == "$a$"
