"""Scores: of a picture alone, as percentiles, and how well they tell odd ones."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from reslag_vae.apply.scores import (
    MINUS_LOG_P,
    SAMPLES,
    SQUARED_ERROR,
    auroc,
    percentiles,
    scorer_of,
)
from reslag_vae.evaluation import importance_weighted_bound
from reslag_vae.networks import Network
from reslag_vae.objectives import ELBO, MMD, Reconstruction
from tests.systems import make_model

MakeNetwork = Callable[..., Network]


def test_the_area_under_the_roc_curve_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    odd = random.random(200) < 0.3
    for scores in (random.random(200), random.integers(0, 5, 200).astype(float), np.zeros(200)):
        assert auroc(scores, odd) == pytest.approx(roc_auc_score(odd, scores), abs=1e-12)


def test_percentiles_count_the_lower_ones() -> None:
    others = np.array([1.0, 2.0, 2.0, 3.0])
    found = percentiles(np.array([0.0, 1.0, 2.0, 2.5, 3.0, 9.0]), others)
    assert found.tolist() == [0, 0, 25, 75, 75, 100]


@torch.no_grad()
def test_a_score_depends_on_no_other_picture(make_network: MakeNetwork) -> None:
    model = make_model(make_network(), "sigma_fixed").eval()
    images, scorer = torch.rand(7, 1, 8, 8), scorer_of(model, ELBO())
    whole = scorer.scores(images)
    for place in range(len(images)):
        alone = scorer.scores(images[place : place + 1])
        for name in (SQUARED_ERROR, MINUS_LOG_P):
            assert alone[name][0] == pytest.approx(whole[name][place], rel=1e-6)


@torch.no_grad()
def test_the_bound_is_that_of_evaluations(make_network: MakeNetwork) -> None:
    """With the same noise, which the first image has there."""
    model = make_model(make_network(), "sigma_fixed").eval()
    images = torch.rand(1, 1, 8, 8)
    expected = importance_weighted_bound(model, images, SAMPLES, seed=0).importance_weighted
    found = scorer_of(model, ELBO()).scores(images)
    assert found[MINUS_LOG_P] == pytest.approx(-expected.numpy(), rel=1e-9)
    error = (model.reconstruct(images) - images).square().sum()
    assert found[SQUARED_ERROR] == pytest.approx(float(error), rel=1e-6)


def test_a_point_has_no_bound(make_network: MakeNetwork) -> None:
    model = make_model(make_network(parameters_per_latent=1), "reconstruction").eval()
    assert scorer_of(model, Reconstruction(), 0.1).likelihood is None


def test_a_model_without_a_variance_takes_that_of_validation_images(
    make_network: MakeNetwork,
) -> None:
    model = make_model(make_network(), "mmd").eval()
    objective = MMD(alpha=0)
    assert scorer_of(model, objective).likelihood is None
    own = scorer_of(model, objective, 0.25).likelihood
    assert own is not None
    assert own.sigma2 is not None
    assert float(own.sigma2) == 0.25
