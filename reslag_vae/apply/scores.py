"""Scores that say how ill a picture fits a model, and how well they tell odd ones."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from reslag_vae.apply.codes import Encoded, encoded
from reslag_vae.evaluation.iteration import chunk_size, given_chunks
from reslag_vae.evaluation.metrics.bounds import log_mean_exp
from reslag_vae.latents.codes import CodePosterior
from reslag_vae.latents.noise import normal_rows
from reslag_vae.likelihoods import FixedVariance, Gaussian, Likelihood
from reslag_vae.models import GenerativeModel
from reslag_vae.objectives import Objective

# Samples of each posterior, the same noise for every picture: a picture's score does not depend on
# the others.
SAMPLES, SEED = 4, 0

# The scores, as columns of a table
SQUARED_ERROR, MINUS_LOG_P = "squared_error", "minus_log_p_nats"
PERCENTILE = "_percentile"


class Scorer(NamedTuple):
    """A model and the likelihood that its scores are taken with.

    Attributes:
        model: the model, in evaluation mode.
        likelihood: p(x|z); None where there is no bound on log p(x).
    """

    model: GenerativeModel
    likelihood: Likelihood | None

    def scores(self, images: Tensor, known: Encoded | None = None) -> dict[str, np.ndarray]:
        """Return the (B,) scores of (B, C, H, W) images in [0, 1], by name.

        `squared_error` is the sum of squared differences between the numbers of an image and of
        its reconstruction from the posterior means; under a likelihood without means, those of
        each pixel given the pixels before it. `minus_log_p_nats` is an importance-weighted upper
        bound on -log p(x) in nats.

        Args:
            images: the images.
            known: what `encoded` has returned for them, if it is known.
        """
        at_means = encoded(self.model, images) if known is None else known
        error = self.model.likelihood(images, at_means.parameters).rec
        columns = {SQUARED_ERROR: error.cpu().numpy()}
        if self.likelihood is not None:
            columns[MINUS_LOG_P] = -log_p(self.model, self.likelihood, images).cpu().numpy()
        return columns


def scorer_of(
    model: GenerativeModel, objective: Objective | None, variance: float | None = None
) -> Scorer:
    """Return the scorer of a model.

    Args:
        model: the model.
        objective: the objective that it was trained with; None if it is not known.
        variance: variance of the likelihood where training implies none; None leaves such a model
            without a bound.
    """
    if model.deterministic:
        return Scorer(model, None)
    weight = None if objective is None else objective.kl_weight(model.latent_dim)
    own = model.likelihood.evaluated(weight)
    if own is None and variance is not None:
        own = Gaussian(FixedVariance(torch.tensor(variance)))
    return Scorer(model, None if own is None else own.to(model.parameter.device).eval())


def log_p(model: GenerativeModel, likelihood: Likelihood, images: Tensor) -> Tensor:
    """Return the (B,) importance-weighted bounds on log p(x) of images in [0, 1], in nats.

    See `evaluation.metrics.bounds.importance_weighted_bound`.
    """
    # Of codes, and without latents, all samples are alike.
    certain = all(isinstance(own, CodePosterior) for own in model.posteriors())
    samples = 1 if certain else SAMPLES
    generator = torch.Generator().manual_seed(SEED)
    noise = [normal_rows(samples, width, generator).to(images) for width in model.level_dims]
    size = max(1, chunk_size(images[0].numel(), images.device) // samples)
    parts = given_chunks(model, images, size)
    return torch.cat([bounds(own, likelihood, part, noise) for own, part in parts])


def bounds(
    model: GenerativeModel, likelihood: Likelihood, images: Tensor, noise: Sequence[Tensor]
) -> Tensor:
    """Return the (B,) bounds of as many images as go through the model at a time.

    Args:
        model: the model.
        likelihood: p(x|z).
        images: (B, C, H, W) in [0, 1].
        noise: (K, d_l) standard normal numbers of each level, for the samples of every image.
    """
    samples = len(noise[0])
    inferred = model.infer(images, tuple(own.repeat(len(images), 1) for own in noise))
    targets = images.repeat_interleave(samples, 0)
    values = likelihood.log_prob(targets, model.parameters_at(inferred.code))
    weights = values.double() + inferred.log_ratio().double()
    return log_mean_exp(weights.view(len(images), samples))


def percentiles(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the percentage of sorted other scores that lie below each score, (B,) float32."""
    below = np.searchsorted(others, scores, side="left")
    return (100 * below / len(others)).astype(np.float32)


def auroc(scores: np.ndarray, odd: np.ndarray) -> float:
    """Return the area under the ROC curve: the chance that an odd one scores above another.

    Equal scores count half.

    Args:
        scores: (N,) scores.
        odd: (N,) bool, whether each is odd; some are, and some are not.
    """
    values, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    del values
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    positive = int(odd.sum())
    above = ranks[odd].sum() - positive * (positive + 1) / 2
    return float(above / (positive * (len(odd) - positive)))
