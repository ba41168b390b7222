"""Codes in the plane."""

from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgba

from reslag_vae.evaluation.pictures.palette import COLORS
from reslag_vae.evaluation.pictures.scatters import axis_names, posterior_scatter, two_dimensions


def drawn(axis: Axes) -> dict[tuple[float, float], tuple[float, ...]]:
    """The colour of each point, without its transparency."""
    found: dict[tuple[float, float], tuple[float, ...]] = {}
    for points in axis.collections:
        points.update_scalarmappable()
        places = np.asarray(points.get_offsets()).tolist()
        colours = np.broadcast_to(points.get_facecolor(), (len(places), 4))[:, :3].tolist()
        found |= {(x, y): tuple(colour) for (x, y), colour in zip(places, colours, strict=True)}
    return found


def test_two_dimensions_are_left_as_they_are() -> None:
    codes = torch.randn(5, 2)
    assert two_dimensions(codes) is codes
    assert axis_names(2) == ("z1", "z2")


def test_more_are_drawn_along_their_principal_axes() -> None:
    # Along known orthonormal axes, with known variances 9, 4 and 1.
    axes = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64)).Q
    constant = torch.ones(100, 1, dtype=torch.float64)
    centred = torch.linalg.qr(
        torch.cat([constant, torch.randn(100, 3, dtype=torch.float64)], dim=1)
    ).Q[:, 1:]
    coordinates = 10 * centred * torch.tensor([3.0, 2.0, 1.0], dtype=torch.float64)
    codes = coordinates @ axes.T + 5
    found = two_dimensions(codes)

    signs = axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
    assert torch.allclose(found, (coordinates * signs)[:, :2], rtol=0, atol=1e-10)
    assert found.var(0, unbiased=False).tolist() == pytest.approx([9, 4])
    # The image of the other sign is the other picture, not this one again.
    assert torch.allclose(two_dimensions(-codes), -found, rtol=0, atol=1e-10)


@pytest.mark.parametrize("count", [12, 300])
def test_axes_of_very_many_dimensions_are_the_same(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = torch.randn(count, 40, dtype=torch.float64) * torch.arange(1, 41)
    every = two_dimensions(codes)
    monkeypatch.setattr("reslag_vae.evaluation.pictures.scatters.MOST_DIMENSIONS", 39)
    two = two_dimensions(codes)
    assert torch.allclose(two, every, rtol=0, atol=1e-8)
    assert torch.equal(two_dimensions(codes), two)
    assert axis_names(3) == ("first principal axis of 3-dimensional codes", "second principal axis")


def test_one_dimension_is_refused() -> None:
    with pytest.raises(ValueError, match="no second dimension"):
        two_dimensions(torch.zeros(3, 1))


def test_points_have_the_colours_that_the_legend_gives_their_classes() -> None:
    points, labels = torch.rand(40, 2), torch.arange(40) % 10
    names = [f"class {i}" for i in range(10)]
    figure = posterior_scatter({"VAE": points, "ResLag VAE": points + 1}, labels, names, ("x", "y"))

    for shift, axis in enumerate(figure.axes):
        wanted = {
            tuple((p + shift).tolist()): to_rgba(COLORS[i])[:3]
            for p, i in zip(points, labels, strict=True)
        }
        assert drawn(axis) == wanted
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == names
    assert [line.get_color() for line in legend.get_lines()] == [to_rgba(color) for color in COLORS]
    assert [axis.get_title() for axis in figure.axes] == ["VAE", "ResLag VAE"]
    assert (figure.get_supxlabel(), figure.get_supylabel()) == ("x", "y")


def test_without_labels_there_is_one_colour_and_no_legend() -> None:
    figure = posterior_scatter({"VAE": torch.rand(5, 2)}, torch.full((5,), -1), [], ("x", "y"))
    assert set(drawn(figure.axes[0]).values()) == {to_rgba(COLORS[0])[:3]}
    assert not figure.legends


@pytest.mark.parametrize("names", [[], ["T-shirt/top", "Ankle boot"]])
def test_titles_lie_within_the_picture(names: list[str]) -> None:
    generator = torch.Generator().manual_seed(11)
    points = {f"model {i}": 2.5 * torch.randn(20, 2, generator=generator) for i in range(3)}
    figure = posterior_scatter(points, torch.arange(20) % 2, names, ("x", "y"))
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()

    for axis in figure.axes:
        assert axis.title.get_window_extent().y1 <= figure.bbox.y1


def test_a_hundred_classes_have_a_colour_and_a_marker_each() -> None:
    points, labels = torch.rand(100, 2), torch.arange(100)
    names = [f"class {i}" for i in range(100)]
    figure = posterior_scatter({"VAE": points}, labels, names, ("x", "y"))
    [legend] = figure.legends

    assert [text.get_text() for text in legend.get_texts()] == names
    pairs = {(to_hex(line.get_color()), str(line.get_marker())) for line in legend.get_lines()}
    assert len(pairs) == 100
    assert len(set(drawn(figure.axes[0]).values())) == len(COLORS)


def test_more_classes_have_a_bar_with_some_names() -> None:
    points, labels = torch.rand(120, 2), torch.arange(120)
    names = [f"class {i}" for i in range(120)]
    figure = posterior_scatter({"VAE": points}, labels, names, ("x", "y"))
    axis, bar = figure.axes

    assert len(set(drawn(axis).values())) == 120
    shown = [text.get_text() for text in bar.get_yticklabels()]
    assert shown == [f"class {i}" for i in range(0, 120, 6)]
    assert not figure.legends


def test_colours_lie_apart() -> None:
    """In OKLab (Ottosson 2020), where equal distances look equal; black and white are 1 apart."""
    to_cones = torch.tensor(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    to_lab = torch.tensor(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    srgb = torch.tensor([to_rgba(color)[:3] for color in COLORS])
    linear = torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    lab = (linear @ to_cones.T) ** (1 / 3) @ to_lab.T
    assert torch.pdist(lab).min() > 0.2


def test_every_class_of_a_mixture_is_seen() -> None:
    """Of two classes in the same place neither lies wholly above the other."""
    labels = torch.arange(400) % 2
    figure = posterior_scatter({"VAE": torch.zeros(400, 2)}, labels, ["a", "b"], ("x", "y"))
    turns = [int(own.get_array()[0]) for own in figure.axes[0].collections]  # type: ignore[index]
    assert turns == [0, 1] * 8


@pytest.mark.parametrize("models", [1, 7])
def test_panels_are_square_and_apart(models: int) -> None:
    names = ["T-shirt/top", "Ankle boot"]
    points = {f"model {i}": torch.randn(20, 2) * torch.tensor([5.0, 1.0]) for i in range(models)}
    figure = posterior_scatter(points, torch.arange(20) % 2, names, ("x", "y"))
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [axis.get_tightbbox(canvas.get_renderer()) for axis in figure.axes]

    assert len(boxes) == models
    for i, (axis, box) in enumerate(zip(figure.axes, boxes, strict=True)):
        assert box is not None
        assert (
            box.count_overlaps(
                [other for j, other in enumerate(boxes) if i != j and other is not None]
            )
            == 0
        )
        panel = axis.get_window_extent()
        assert panel.width == pytest.approx(panel.height, rel=1e-3)
        scale = axis.transData.transform([[0, 0], [1, 1]])
        assert np.ptp(scale[:, 0]) == pytest.approx(np.ptp(scale[:, 1]), rel=1e-3)


def test_points_that_do_not_go_with_the_labels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"VAE: points of shape \(4, 3\), not \(4, 2\)\."):
        posterior_scatter({"VAE": torch.zeros(4, 3)}, torch.zeros(4), [], ("x", "y"))
    with pytest.raises(ValueError, match=r"Labels from -1 to 2 for 3 class names\."):
        posterior_scatter(
            {"VAE": torch.zeros(2, 2)}, torch.tensor([-1, 2]), ["a", "b", "c"], ("x", "y")
        )
