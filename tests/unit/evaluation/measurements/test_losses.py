"""The losses as the thesis prints them, and the yardstick."""

from collections.abc import Callable
from typing import Any

import pytest

from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.epoch import evaluate
from reslag_vae.evaluation.measurements.losses import losses

MakeSubject = Callable[..., Subject]


def test_thesis_terms_are_the_models_own_losses(
    kind: tuple[str, dict[str, Any]], make_subject: MakeSubject
) -> None:
    choice, options = kind
    subject = make_subject(choice, options=options)
    groups = losses(subject)
    epoch = evaluate(subject.model, subject.objective, subject.data.in_order("test"))
    means = epoch.metrics(subject.train_mse)
    thesis, yardstick = groups["thesis"], groups["yardstick"]

    assert thesis["rec"].value == pytest.approx(means["rec"], rel=1e-6)
    assert thesis["total"].value == pytest.approx(means["loss"], rel=1e-6)
    assert (thesis["mmd"].value is None) == ("mmd" not in means)
    if choice == "reconstruction":
        assert thesis["lat"].value is None
        assert "without a density" in thesis["lat"].protocol
        assert yardstick["elbo"].value is None
    else:
        averaged = choice in ("beta", "mmd")
        assert thesis["lat"].value == pytest.approx(means["kl"] / (3 if averaged else 1), rel=1e-5)
        assert ("per latent dimension" in thesis["lat"].unit) == averaged
        assert yardstick["elbo"].value == pytest.approx(means["elbo"], rel=1e-6)
        assert yardstick["bits_per_dim"].value == pytest.approx(means["bits_per_dim"], rel=1e-6)
    if choice == "beta":  # Total = Rec + beta · Lat, as in the thesis' Table 1
        assert thesis["total"].value == pytest.approx(
            thesis["rec"].value + 6.0 * thesis["lat"].value, rel=1e-6
        )
    if choice == "mmd":
        assert thesis["total"].value == pytest.approx(
            thesis["rec"].value + 500 * thesis["mmd"].value, rel=1e-6
        )
        assert thesis["total"].error is None
        assert "minibatches of 16" in thesis["total"].protocol
