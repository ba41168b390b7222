"""Reconstructions, samples and extremes."""

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from torch import Tensor

from reslag_vae.evaluation.pictures.grids import extreme_images, extremes, reconstructions, samples


def numbered(first: float, count: int) -> Tensor:
    """(count, 1, 4, 4) even images, each 0.01 lighter than the one before."""
    return (first + 0.01 * torch.arange(count))[:, None, None, None].expand(count, 1, 4, 4)


def shades(axis: Axes) -> Tensor:
    """The value of each image of 4 x 4 pixels, by line and column."""
    return torch.from_numpy(np.asarray(axis.images[0].get_array()))[1::5, 1::5]


def words(axis: Axes) -> list[str]:
    return [label.get_text() for label in axis.get_yticklabels()]


def test_reconstructions_are_beneath_their_originals() -> None:
    models = {"AutoEncoder": numbered(0.3, 16), "ResLag VAE": numbered(0.6, 16)}
    axes = reconstructions(numbered(0, 16), models).axes

    assert [words(axis) for axis in axes] == [["original", "AutoEncoder", "ResLag VAE"]] * 2
    shown = torch.cat([shades(axis) for axis in axes], dim=1)
    assert torch.allclose(shown, torch.stack([numbered(v, 16)[:, 0, 0, 0] for v in (0, 0.3, 0.6)]))


def test_a_last_line_of_few_images_is_filled_with_white() -> None:
    axes = reconstructions(numbered(0, 10), {"VAE": numbered(0.3, 10)}).axes
    assert torch.equal(shades(axes[1])[:, 2:], torch.ones(2, 6))


def test_originals_may_be_uint8() -> None:
    [axis] = reconstructions(
        torch.full((2, 1, 4, 4), 51, dtype=torch.uint8), {"VAE": numbered(0.3, 2)}
    ).axes
    assert shades(axis)[0].tolist() == pytest.approx([0.2, 0.2])


def test_reconstructions_of_other_images_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"VAE: images of shape \(3, 1, 4, 4\) beside others of \(4, 1, 4, 4\)"
    ):
        reconstructions(numbered(0, 4), {"VAE": numbered(0, 3)})


def test_samples_of_one_model_are_squares() -> None:
    axes = samples({"VAE": {"prior": numbered(0, 16), "mixture": numbered(0.5, 16)}}).axes

    assert [axis.get_title() for axis in axes] == ["prior", "mixture"]
    assert [words(axis) for axis in axes] == [["VAE"], []]
    for axis, first in zip(axes, (0, 0.5), strict=True):
        assert torch.allclose(shades(axis), numbered(first, 16)[:, 0, 0, 0].view(4, 4))


def test_samples_of_several_models_are_lines_of_eight() -> None:
    sources = {"prior": numbered(0, 16), "mixture": numbered(0.5, 16)}
    axes = samples(
        {"VAE": sources, "ResLag VAE": {name: images + 0.2 for name, images in sources.items()}}
    ).axes

    assert [axis.get_title() for axis in axes] == ["prior", "mixture", "", ""]
    assert [words(axis) for axis in axes] == [["VAE"], [], ["ResLag VAE"], []]
    for axis, first in zip(axes, (0, 0.5, 0.2, 0.7), strict=True):
        assert torch.allclose(shades(axis), numbered(first, 16)[:, 0, 0, 0].view(2, 8))


def test_a_last_line_of_few_samples_is_filled_with_white() -> None:
    [axis] = samples({"VAE": {"prior": numbered(0, 10)}}).axes
    assert torch.equal(shades(axis)[-1, 2:], torch.ones(2))
    assert shades(axis).shape == (3, 4)


def test_a_model_without_a_source_is_refused() -> None:
    sources = {"prior": numbered(0, 16), "mixture": numbered(0.5, 16)}
    with pytest.raises(KeyError, match="mixture"):
        samples({"VAE": sources, "AutoEncoder": {"prior": numbered(0, 16)}})


def test_extremes_are_chosen_by_rank() -> None:
    errors = torch.tensor([5.0, 1, 9, 3, 7, 2, 8, 4, 6])
    assert extreme_images(errors, 3).tolist() == [[1, 5, 3], [7, 0, 8], [4, 6, 2]]
    with pytest.raises(ValueError, match=r"count=10: there are only 9 images\."):
        extreme_images(errors, 10)


def test_extremes_show_the_error_beneath_each_pair() -> None:
    originals = numbered(0, 6).unflatten(0, (3, 2))  # type: ignore[no-untyped-call]
    axes = extremes(
        torch.tensor([[1.0, 2], [3, 4.126], [5, 123.4]]), originals, originals + 0.5
    ).axes

    assert [axis.get_title() for axis in axes] == ["best", "median", "worst"]
    assert [[label.get_text() for label in axis.get_xticklabels()] for axis in axes] == [
        ["Rec 1.00", "Rec 2.00"],
        ["Rec 3.00", "Rec 4.13"],
        ["Rec 5.00", "Rec 123.40"],
    ]
    for axis, pair in zip(axes, originals[:, :, 0, 0, 0], strict=True):
        assert words(axis) == ["original", "reconstruction"]
        assert torch.allclose(shades(axis), torch.stack([pair, pair + 0.5]))
