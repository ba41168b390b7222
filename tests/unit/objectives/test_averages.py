import math

import pytest
import torch
from torch import Tensor

from reslag_vae._runtime import collectives
from reslag_vae.objectives import Terms
from reslag_vae.objectives.averages import Means, row_of


def per_image(count: int) -> Terms:
    loss, distortion, rec, kl = torch.randn(4, count, dtype=torch.float64)
    return Terms(loss, distortion, rec, kl, {})


def of_loss(loss: Tensor) -> Terms:
    """Terms whose loss is given, whose other terms are 1, and which have no KL."""
    ones = torch.ones(len(loss))
    return Terms(loss, ones, ones, None, {})


@pytest.mark.parametrize("sizes", [[10], [7, 3], [1] * 10, [4, 4, 2]])
def test_mean_over_images_does_not_depend_on_the_batching(sizes: list[int]) -> None:
    terms, means = per_image(10), Means()
    assert terms.kl is not None
    values = {
        "loss": terms.loss,
        "distortion": terms.distortion,
        "rec": terms.rec,
        "kl": terms.kl,
    }
    parts = zip(*(value.split(sizes) for value in values.values()), strict=True)
    for loss, distortion, rec, kl in parts:
        means.add(Terms(loss, distortion, rec, kl, {}))

    assert means.count == 10
    expected = {name: sum(value.tolist()) / 10 for name, value in values.items()}
    assert means.read() == pytest.approx(expected, rel=1e-12)


def test_terms_of_the_minibatch_are_weighted_by_its_images() -> None:
    means = Means()
    for count, value in ((3, 1.0), (1, 5.0)):
        ones, scalar = torch.ones(count), torch.tensor(value)
        extras = {"mmd": scalar, "sigma2": scalar.view(1, 1, 1, 1), "sigma2_floored": scalar}
        means.add(Terms(ones, ones, ones, None, extras))

    assert means.read() == {
        "loss": 1.0,
        "distortion": 1.0,
        "rec": 1.0,
        "mmd": 2.0,
        "sigma2": 2.0,
        "sigma2_floored": 2.0,
    }


def test_absent_terms_are_left_out() -> None:
    assert row_of(of_loss(torch.ones(2))).names == ("loss", "distortion", "rec")
    assert row_of(per_image(2)).names == ("loss", "distortion", "rec", "kl")


def test_sigma2_is_the_mean_over_its_entries() -> None:
    sigma2 = torch.tensor([1.0, 2.0, 6.0]).view(1, 3, 1, 1)
    terms = of_loss(torch.ones(2))._replace(extras={"sigma2": sigma2})
    row = row_of(terms)
    assert float(row.values[row.names.index("sigma2")]) == 3


def test_nothing_added_reads_empty() -> None:
    assert Means().read() == {}


def test_the_graph_is_not_kept() -> None:
    loss = torch.ones(2, requires_grad=True) * 2
    means = Means()
    terms = Terms(loss, loss, loss, loss, {"penalty": loss})
    means.add(terms)

    assert not means.rows.requires_grad
    assert not row_of(terms).values.requires_grad


def test_many_small_terms_are_summed_in_double_precision() -> None:
    means = Means()
    for _ in range(1000):
        means.add(of_loss(torch.full((1000,), 0.1)))
    assert means.read()["loss"] == pytest.approx(0.1, rel=1e-7)


def test_the_first_minibatch_that_is_not_finite_is_known() -> None:
    means = Means()
    assert means.first_non_finite() is None
    for value in (1.0, 2.0, math.inf, 1.0, math.nan):
        means.add(of_loss(torch.full((2,), value)))
    assert means.first_non_finite() == 3
    assert means.read()["rec"] == 1


def test_means_of_other_processes_are_taken_together(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Means(), Means()
    for value in (1.0, 2.0):
        first.add(of_loss(torch.full((2,), value)))
        second.add(of_loss(torch.full((3,), 4.0 if value == 1 else math.nan)))
    monkeypatch.setattr(collectives, "count", lambda: 2)
    monkeypatch.setattr(
        collectives,
        "objects",
        lambda own: [(m.names, m.rows, m._counts) for m in (first, second)],
    )
    assert first.gathered().first_non_finite() == 2
    assert first.gathered(in_turns=True).first_non_finite() is None
    assert first.gathered().count == 10
    assert first.gathered().read()["rec"] == pytest.approx(1)
