"""Directions of attributes and classes, in float64."""

import pytest
import torch

from reslag_vae.evaluation.pictures.translation import (
    attribute_directions,
    class_mean_codes,
    nearest_class,
    translate,
)


def test_directions_are_found_where_attributes_add_them() -> None:
    # Every combination of three attributes equally often: their directions do not mix.
    members = torch.cartesian_prod(*[torch.tensor([False, True])] * 3).repeat(4, 1)
    directions = torch.randn(3, 5, dtype=torch.float64)
    codes = torch.randn(5, dtype=torch.float64) + members.double() @ directions

    assert torch.allclose(attribute_directions(codes, members), directions, rtol=0, atol=1e-12)
    assert attribute_directions(codes.float(), members).dtype == torch.float32


def test_an_attribute_of_all_or_none_has_no_direction() -> None:
    members = torch.tensor([[True, True, False], [True, False, False]])
    directions = attribute_directions(torch.tensor([[1.0], [4.0]]), members)
    assert directions[:, 0].tolist() == pytest.approx([torch.nan, -3.0, torch.nan], nan_ok=True)


def test_class_means_are_those_of_the_classes_own_images() -> None:
    codes, labels = torch.randn(50, 3, dtype=torch.float64), torch.randint(-1, 4, (50,))
    means = class_mean_codes(codes, labels, 5)

    assert means.shape == (5, 3)
    for number in range(4):
        assert torch.allclose(means[number], codes[labels == number].mean(0))
    assert means[4].isnan().all()


def test_the_nearest_class_is_another_one_that_has_a_mean() -> None:
    means = torch.tensor([[0.0, 0], [3, 0], [3, 1], [torch.nan, torch.nan], [0, -2.5]])
    assert nearest_class(means).tolist() == [4, 2, 1, -1, 0]
    assert nearest_class(means[[0, 3]]).tolist() == [-1, -1]


def test_a_translation_goes_along_the_direction() -> None:
    code, other = torch.randn(2, 4, dtype=torch.float64)
    codes = translate(code, other - code, [0, 0.5, 1, -1])
    assert torch.equal(codes[0], code)
    assert torch.allclose(codes, torch.stack([code, (code + other) / 2, other, 2 * code - other]))
