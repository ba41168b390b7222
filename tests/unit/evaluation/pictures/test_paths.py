"""Latents of lines, squares and traversals, in float64."""

import pytest
import torch

from reslag_vae.evaluation.pictures.paths import bilinear, line, traverse


def test_a_line_is_even_and_holds_its_ends() -> None:
    start, end = torch.randn(2, 7, dtype=torch.float64)
    codes = line(start, end, 5)

    assert codes.shape == (5, 7)
    assert torch.equal(codes[0], start)
    assert torch.equal(codes[-1], end)
    assert torch.allclose(codes.diff(dim=0), ((end - start) / 4).expand(4, 7))


def test_a_square_is_the_bilinear_form_of_its_corners() -> None:
    corners = torch.randn(4, 3, dtype=torch.float64)
    codes = bilinear(corners, 6)

    t = torch.linspace(0, 1, 6, dtype=torch.float64)
    down, right = t[:, None, None], t[None, :, None]
    upper, lower = (
        (1 - right) * corners[0] + right * corners[1],
        (1 - right) * corners[2] + right * corners[3],
    )
    assert codes.shape == (6, 6, 3)
    assert torch.allclose(codes, (1 - down) * upper + down * lower, rtol=0, atol=1e-14)
    assert torch.equal(codes[[0, 0, -1, -1], [0, -1, 0, -1]], corners)


def test_a_square_of_three_corners_is_refused() -> None:
    with pytest.raises(ValueError, match=r"A square has four corners, not 3\."):
        bilinear(torch.zeros(3, 2), 4)


def test_a_traversal_sets_one_dimension_and_leaves_the_code_alone() -> None:
    code = torch.randn(4, dtype=torch.float64)
    before = code.clone()
    codes = traverse(code, 2, torch.tensor([-3.0, 0.5]))

    assert codes[:, 2].tolist() == [-3, 0.5]
    assert torch.equal(codes[:, [0, 1, 3]], before[[0, 1, 3]].expand(2, 3))
    assert torch.equal(code, before)
