"""Interpolations, traversals and translations."""

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from torch import Tensor

from reslag_vae.evaluation.pictures.walks import (
    Translation,
    interpolation_grid,
    interpolation_strip,
    translations,
    traversals,
)


def shades(axis: Axes) -> Tensor:
    """The value of each image of 4 x 4 pixels, by line and column."""
    return torch.from_numpy(np.asarray(axis.images[0].get_array()))[1::5, 1::5]


def even(values: Tensor) -> Tensor:
    """(..., 1, 4, 4) even images of (...) values."""
    return values[..., None, None, None].expand(*values.shape, 1, 4, 4)


def columns(axis: Axes) -> list[str]:
    return [label.get_text() for label in axis.get_xticklabels()]


def rows(axis: Axes) -> list[str]:
    return [label.get_text() for label in axis.get_yticklabels()]


def test_a_strip_names_its_ends() -> None:
    values, ends = torch.rand(2, 4), torch.rand(2)
    [axis] = interpolation_strip(
        even(ends), {"VAE": even(values[0]), "ResLag VAE": even(values[1])}
    ).axes

    assert torch.equal(
        shades(axis), torch.cat([ends[:1].expand(2, 1), values, ends[1:].expand(2, 1)], 1)
    )
    assert rows(axis) == ["VAE", "ResLag VAE"]
    assert columns(axis) == ["original", "decoded", "", "", "decoded", "original"]


def test_grids_frame_their_corners() -> None:
    values = torch.rand(4, 3, 3)
    axes = interpolation_grid({f"model {i}": even(value) for i, value in enumerate(values)}).axes

    assert [axis.get_title() for axis in axes] == [f"model {i}" for i in range(4)]
    for axis, value in zip(axes, values, strict=True):
        assert torch.equal(shades(axis), value)
        centres = [patch.get_bbox().get_points().mean(0) for patch in axis.patches]  # type: ignore[attr-defined]
        corners = {(int(x) // 5, int(y) // 5) for x, y in centres}
        assert corners == {(0, 0), (0, 2), (2, 0), (2, 2)}
    # Three of them beside each other, the fourth below the first.
    places = [axis.get_position() for axis in axes]
    assert places[0].y0 == places[1].y0 == places[2].y0 > places[3].y1
    assert places[0].x0 == pytest.approx(places[3].x0)
    assert places[0].x0 < places[1].x0 < places[2].x0


def test_traversals_name_dimensions_and_values() -> None:
    images = torch.rand(2, 4)
    [axis] = traversals(
        torch.full((1, 4, 4), 51, dtype=torch.uint8),
        torch.tensor([-2.25, 0, 1.5]),
        {"z7, KL 4.1": even(images[0]), "z2, KL 0.3": even(images[1])},
    ).axes

    assert torch.allclose(shades(axis), torch.cat([torch.full((2, 1), 0.2), images], 1))
    assert rows(axis) == ["z7, KL 4.1", "z2, KL 0.3"]
    assert columns(axis) == ["original", "decoded", "−2.25σ", "0", "+1.5σ"]


def test_traversals_with_other_than_one_image_for_each_value_are_refused() -> None:
    with pytest.raises(ValueError, match=r"4 words for 5 columns"):
        traversals(torch.zeros(1, 4, 4), torch.zeros(2), {"z0": even(torch.zeros(4))})


def test_translations_start_with_the_original() -> None:
    decoded = torch.rand(2, 3)
    originals = torch.full((2, 1, 4, 4), 51, dtype=torch.uint8)
    # The same label twice: it is no key.
    made = [Translation("add Eyeglasses", originals[i], even(decoded[i])) for i in range(2)]
    [axis] = translations([0, 0.5, 1.0], made).axes

    assert rows(axis) == ["add Eyeglasses", "add Eyeglasses"]
    assert columns(axis) == ["original", "decoded", "+0.5", "+1"]
    assert torch.allclose(shades(axis), torch.cat([torch.full((2, 1), 0.2), decoded], dim=1))
