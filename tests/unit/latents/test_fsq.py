"""Finite scalar quantisation."""

import pytest
import torch

from reslag_vae.latents import FiniteScalarQuantised
from reslag_vae.latents.codes import Coded


@pytest.mark.parametrize("levels", [2, 3, 4, 5, 8, 9])
def test_every_level_is_reached_and_zero_is_one_of_them(levels: int) -> None:
    own = FiniteScalarQuantised(1, [levels]).double()
    numbers = torch.linspace(-20, 20, 4001, dtype=torch.float64)[:, None]
    density = own(numbers)
    reached = density.mean.unique()
    width = levels // 2
    expected = (torch.arange(levels) - width).double() / width
    assert torch.equal(reached, expected)
    assert own(torch.zeros(1, 1, dtype=torch.float64)).mean.item() == 0
    # More outputs lead to each inner level than to none, and their order is kept.
    assert (density.mean.diff(dim=0) >= 0).all()


@pytest.mark.parametrize("levels", [2, 3, 4, 5, 8])
def test_ordinary_numbers_reach_several_levels_and_have_a_gradient(levels: int) -> None:
    own = FiniteScalarQuantised(1, [levels]).double()
    numbers = torch.special.ndtri(torch.linspace(0.01, 0.99, 99, dtype=torch.float64))[:, None]
    numbers.requires_grad_()
    own.bounded(numbers).sum().backward()
    density = own(numbers)
    assert isinstance(density, Coded)
    shares = density.usage() / len(numbers)
    assert shares.max() < 0.75
    assert numbers.grad is not None
    assert numbers.grad[49] > 0.3


def test_the_gradient_is_that_of_the_bound() -> None:
    own = FiniteScalarQuantised(3, [8, 5, 4]).double()
    features = torch.randn(4, 3 * 2, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(4, 3 * 2, dtype=torch.float64)
    (own(features).mean * weights).sum().backward()
    bounded = own.as_latents(own.bounded(own.at_positions(features)))
    (expected,) = torch.autograd.grad((bounded * weights).sum(), features)
    torch.testing.assert_close(features.grad, expected)
    # Rounding moves a number by half a step at most.
    steps = own.as_latents((0.5 / (own.per_number // 2)).expand(4, 2, 3))
    assert ((own(features).mean - bounded).abs() <= steps + 1e-12).all()


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_numbers_in_half_precision_have_the_codes_of_the_same_in_single(kind: torch.dtype) -> None:
    own = FiniteScalarQuantised(3, [8, 64, 5])
    features = (2 * torch.randn(300, 3)).to(kind)
    density, exact = own(features), own(features.float())
    assert isinstance(density, Coded)
    assert isinstance(exact, Coded)
    assert torch.equal(density.indices, exact.indices)
    assert density.mean.dtype == kind


def test_what_is_no_number_has_a_code_and_no_latent() -> None:
    own = FiniteScalarQuantised(2, [5, 5])
    density = own(torch.tensor([[torch.nan, 0.0]]))
    assert isinstance(density, Coded)
    assert 0 <= density.indices.item() < own.codes
    assert density.usage().sum() == 1
    assert density.mean.isnan().tolist() == [[True, False]]


def test_a_level_for_each_number_is_wanted() -> None:
    with pytest.raises(ValueError, match=r"posterior\.levels=\[8, 8\]: a level for each of"):
        FiniteScalarQuantised(3, [8, 8])


@pytest.mark.parametrize("levels", [[256, 256, 2], [256] * 16, [1, 8]])
def test_too_many_codes_and_too_few_levels_are_refused(levels: list[int]) -> None:
    with pytest.raises(ValueError, match=r"^posterior\.levels=.*: must be .* at most 65536\.$"):
        FiniteScalarQuantised(len(levels), levels)


def test_as_many_codes_as_a_codebook_may_have_are_taken() -> None:
    assert FiniteScalarQuantised(2, [256, 256]).codes == 65_536
