import math

import pytest
import torch

from reslag_vae._runtime import collectives
from reslag_vae.objectives.averages import Means, reduced
from reslag_vae.records import Terms


def per_image(count: int) -> Terms:
    loss, rec = torch.randn(2, count, dtype=torch.float64)
    return Terms(loss=loss, rec=rec, kl=torch.rand(count, 3, dtype=torch.float64))


@pytest.mark.parametrize("sizes", [[10], [7, 3], [1] * 10, [4, 4, 2]])
def test_mean_over_images_does_not_depend_on_the_batching(sizes: list[int]) -> None:
    terms, means = per_image(10), Means()
    for loss, rec, kl in zip(*(t.split(sizes) for t in terms[:3] if t is not None), strict=True):
        means.add(Terms(loss, rec, kl))

    assert terms.kl is not None
    assert means.count == 10
    assert means.read() == pytest.approx(
        {
            "loss": sum(terms.loss.tolist()) / 10,
            "rec": sum(terms.rec.tolist()) / 10,
            "kl": sum(sum(row) for row in terms.kl.tolist()) / 10,
        },
        rel=1e-12,
    )


def test_terms_of_the_minibatch_are_weighted_by_its_images() -> None:
    means = Means()
    for count, value in ((3, 1.0), (1, 5.0)):
        ones, scalar = torch.ones(count), torch.tensor(value)
        means.add(
            Terms(ones, ones, None, mmd=scalar, sigma2=scalar.view(1, 1, 1, 1), floored=scalar)
        )

    assert means.read() == {
        "loss": 1.0,
        "rec": 1.0,
        "mmd": 2.0,
        "sigma2": 2.0,
        "sigma2_floored": 2.0,
    }


def test_absent_terms_are_left_out() -> None:
    assert set(reduced(Terms(torch.ones(2), torch.ones(2), None))) == {"loss", "rec"}
    assert set(reduced(per_image(2))) == {"loss", "rec", "kl"}


def test_sigma2_is_the_mean_over_its_entries() -> None:
    sigma2 = torch.tensor([1.0, 2.0, 6.0]).view(1, 3, 1, 1)
    assert reduced(Terms(torch.ones(2), torch.ones(2), None, sigma2=sigma2))["sigma2"] == 3


def test_nothing_added_reads_empty() -> None:
    assert Means().read() == {}


def test_the_graph_is_not_kept() -> None:
    loss = torch.ones(2, requires_grad=True) * 2
    means = Means()
    means.add(Terms(loss, loss, None))

    assert means.sums is not None
    assert not means.sums.requires_grad
    assert not any(value.requires_grad for value in reduced(Terms(loss, loss, None)).values())


def test_many_small_terms_are_summed_in_double_precision() -> None:
    means = Means()
    for _ in range(1000):
        value = torch.full((1000,), 0.1)
        means.add(Terms(value, value, None))
    assert means.read()["loss"] == pytest.approx(0.1, rel=1e-7)


def test_the_first_minibatch_that_is_not_finite_is_known() -> None:
    means = Means()
    assert means.first_broken() is None
    for value in (1.0, 2.0, math.inf, 1.0, math.nan):
        means.add(Terms(torch.full((2,), value), torch.ones(2), None))
    assert means.first_broken() == 3
    assert means.read()["rec"] == 1


def test_means_of_other_processes_are_taken_together(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Means(), Means()
    for value in (1.0, 2.0):
        first.add(Terms(torch.full((2,), value), torch.ones(2), None))
        second.add(Terms(torch.full((3,), 4.0 if value == 1 else math.nan), torch.ones(3), None))
    monkeypatch.setattr(collectives, "count", lambda: 2)
    monkeypatch.setattr(
        collectives,
        "objects",
        lambda own: [(m.names, (m.sums, m.finite), m.count) for m in (first, second)],
    )
    assert first.of_all().first_broken() == 2
    assert first.of_all(in_turns=True).first_broken() is None
    assert first.of_all().count == 10
    assert first.of_all().read()["rec"] == 1
