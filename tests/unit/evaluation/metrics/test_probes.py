"""Two simple classifiers of the codes."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from reslag_vae.evaluation.metrics.probes import linear_probe, nearest_neighbours


def clusters(count: int, distance: float) -> tuple[Tensor, Tensor]:
    labels = torch.arange(count) % 3
    centres = distance * torch.tensor([[1.0, 0.0], [-0.5, 0.87], [-0.5, -0.87]])
    return centres[labels] + torch.randn(count, 2), labels


@pytest.mark.parametrize("accuracy", [linear_probe, nearest_neighbours])
@pytest.mark.parametrize(("distance", "low", "high"), [(20.0, 1.0, 1.0), (0.0, 0.2, 0.47)])
def test_what_is_there_is_found_and_no_more(
    accuracy: Callable[..., float], distance: float, low: float, high: float
) -> None:
    value = accuracy(*clusters(300, distance), *clusters(300, distance))
    assert low <= value <= high


def test_the_linear_probe_finds_no_rings_and_the_neighbours_do() -> None:
    def rings(count: int) -> tuple[Tensor, Tensor]:
        labels = torch.arange(count) % 2
        angle = torch.rand(count) * 2 * torch.pi
        return (1.0 + 2 * labels)[:, None] * torch.stack([angle.cos(), angle.sin()], 1), labels

    train, test = rings(400), rings(400)
    assert linear_probe(*train, *test) < 0.65
    assert nearest_neighbours(*train, *test) == 1.0


def test_the_scale_of_a_dimension_does_not_matter_to_the_linear_probe() -> None:
    (codes, labels), (test_codes, test_labels) = clusters(300, 2.0), clusters(300, 2.0)
    scale = torch.tensor([1e3, 1e-3])
    assert linear_probe(codes * scale, labels, test_codes * scale, test_labels) == linear_probe(
        codes, labels, test_codes, test_labels
    )


def test_neighbours_vote_as_counted_by_hand() -> None:
    codes, labels = clusters(60, 1.0)
    test_codes, test_labels = clusters(50, 1.0)
    nearest = torch.cdist(test_codes.double(), codes.double()).argsort(1)[:, :5]
    votes = torch.nn.functional.one_hot(labels[nearest], 3).sum(1)
    expected = float((votes.argmax(1) == test_labels).double().mean())
    assert nearest_neighbours(codes, labels, test_codes, test_labels) == pytest.approx(expected)
