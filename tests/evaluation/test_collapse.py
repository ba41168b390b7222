"""The diagnosis, on a model of which the truth is known."""

from typing import Any

import pytest
import torch
from torch import Tensor

from reslag_vae.evaluation.bounds import importance_weighted_bound
from reslag_vae.evaluation.collapse import Kind, diagnose
from reslag_vae.evaluation.models import EncoderDecoder


def silenced(linear: Any, dimensions: list[int]) -> EncoderDecoder:
    """The exact encoder, but that it says N(0, 1) of some dimensions for every image."""

    def posterior(images: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = (part.clone() for part in linear.posterior(images))
        mean[:, dimensions] = log_variance[:, dimensions] = 0.0
        return mean, log_variance

    return EncoderDecoder(posterior, linear.decode)


@pytest.mark.parametrize(
    ("ignored_by_decoder", "silent_encoder", "active", "wanted", "kind", "words"),
    [
        ([], [], [1, 1, 1], [1, 1, 1], "none", ["no collapse: all 3"]),
        (
            [2],
            [],
            [1, 1, 0],
            [1, 1, 0],
            "model",
            ["some units idle: of 3 latent dimensions 1 ignored by the decoder (model collapse)"],
        ),
        (
            [],
            [1],
            [1, 0, 1],
            [1, 1, 1],
            "inference",
            ["some units idle: of 3", "1 used by the decoder and not by the encoder (inference collapse)"],
        ),
        (
            [2],
            [1, 2],
            [1, 0, 0],
            [1, 1, 0],
            "mixed",
            ["partly collapsed: of 3", "1 ignored by the decoder (model collapse) and 1 used by"],
        ),
        (
            [0, 1, 2],
            [0, 1, 2],
            [0, 0, 0],
            [0, 0, 0],
            "model",
            ["COLLAPSED: of 3 latent dimensions 3 ignored by the decoder"],
        ),
        (
            [],
            [0, 1, 2],
            [0, 0, 0],
            [1, 1, 1],
            "inference",
            ["COLLAPSED: of 3", "3 used by the decoder and not by the encoder"],
        ),
    ],
)
def test_the_kind_of_collapse_is_told(
    ignored_by_decoder: list[int],
    silent_encoder: list[int],
    active: list[int],
    wanted: list[int],
    kind: Kind,
    words: list[str],
    linear: Any,
) -> None:
    linear.weight[:, ignored_by_decoder] = 0.0
    images = linear.images(400)
    model = silenced(linear, silent_encoder)
    halves = importance_weighted_bound(model, images, 64, linear.sigma2).halves
    diagnosis = diagnose(model.posterior(images).mean, halves)

    assert diagnosis.active.tolist() == [bool(value) for value in active]
    assert diagnosis.wanted.tolist() == [bool(value) for value in wanted]
    assert diagnosis.kind == kind
    for word in words:
        assert word in diagnosis.verdict


def test_noise_in_both_halves_is_no_activity() -> None:
    # Of few effective samples an estimated mean is as wide as the prior, whatever the decoder does.
    halves = torch.randn(2, 2000, 20)
    assert not diagnose(torch.zeros(2000, 20), halves).wanted.any()


def test_a_common_signal_is_found_beneath_the_noise() -> None:
    signal = 0.3 * torch.randn(2000, 5)
    assert diagnose(torch.zeros(2000, 5), signal + 0.5 * torch.randn(2, 2000, 5)).wanted.all()


def test_a_common_offset_is_no_activity() -> None:
    assert not diagnose(torch.full((50, 2), 3.0), torch.full((2, 50, 2), 3.0)).active.any()
    assert not diagnose(torch.full((50, 2), 3.0), torch.full((2, 50, 2), 3.0)).wanted.any()
