"""Random rows and categories, against sums that are written out."""

import pytest
import torch

from reslag_vae.latents.noise import categories


def test_categories_are_those_in_whose_parts_numbers_lie() -> None:
    masses = torch.tensor([0.25, 0.5, 0.25], dtype=torch.float64)
    uniforms = torch.tensor([0.0, 0.2, 0.3, 0.7, 0.8, 1.0], dtype=torch.float64)
    assert categories(masses, uniforms).tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("columns", [1, 3])
def test_categories_of_rows_are_those_of_their_own_masses(columns: int) -> None:
    generator = torch.Generator().manual_seed(0)
    masses = torch.rand(5, 4, generator=generator, dtype=torch.float64)
    masses /= masses.sum(1, keepdim=True)
    uniforms = torch.rand(5, columns, generator=generator, dtype=torch.float64)
    expected = [
        [next(k for k in range(4) if row[: k + 1].sum() >= u) for u in own]
        for row, own in zip(masses, uniforms, strict=True)
    ]
    assert categories(masses, uniforms).tolist() == expected


def test_numbers_above_the_last_edge_are_of_the_last_category() -> None:
    masses = torch.full((10,), 0.1)  # whose sum in float32 may be below 1
    assert categories(masses * 0.999, torch.ones(1)).tolist() == [9]
