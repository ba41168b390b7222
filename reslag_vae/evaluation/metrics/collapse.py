"""The diagnosis of a collapsed latent: which dimensions are idle, and of which kind of collapse."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from reslag_vae.evaluation.adapters import LatentModel
from reslag_vae.evaluation.codes import Codes
from reslag_vae.evaluation.iteration import check_seed, device_of, evaluating, of_rows
from reslag_vae.evaluation.metrics.bounds import likelihood_of
from reslag_vae.evaluation.progress import Progress, silent
from reslag_vae.latents.inferred import joined
from reslag_vae.latents.statistics import ACTIVE_VARIANCE
from reslag_vae.latents.verdicts import SILENT, verdict_on_levels
from reslag_vae.likelihoods import Likelihood
from reslag_vae.models import GenerativeModel

# Codes in which an idle dimension is drawn anew, and how many are decoded at a time.
CODES, CHUNK = 256, 32

# With more idle dimensions than this, those of a level are drawn anew at once: each by itself takes
# a second or so.
MOST = 256


class Diagnosis(NamedTuple):
    """States of the d latent dimensions, each of which is active, ignored or lagging.

    Attributes:
        active: (d,) bool, whether the encoder uses the dimension: the mean of q(z|x) differs
            between images.
        ignored: (d,) bool, whether neither encoder nor decoder uses it: model collapse.
        lagging: (d,) bool, whether the decoder alone uses it: inference collapse.
        verdict: one plain sentence about all dimensions.
    """

    active: Tensor
    ignored: Tensor
    lagging: Tensor
    verdict: str


def diagnose(
    model: LatentModel,
    codes: Codes,
    likelihood: Likelihood | Tensor | float | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Diagnosis:
    """Return which latent dimensions have collapsed, by model collapse or by inference collapse.

    He et al. 2019, https://arxiv.org/abs/1901.05534, section 3, tell the two apart. A dimension is
    idle if the variance of its posterior mean over images is at most 0.01 of the prior's variance
    in that dimension (Burda et al. 2016, https://arxiv.org/abs/1509.00519, section 5.2, where the
    prior's is 1). If the decoder ignores it too, the model's own
    posterior p(z|x) says nothing of it either: model collapse. If the decoder uses it, the encoder
    lags behind the decoder: inference collapse, which more encoder updates (schedule=lagging) can
    mend. `precision` measures how much the decoder uses a dimension, over samples of the model's
    own prior. With more than 256 idle dimensions it measures those of a level together, and they
    are all ignored or all used.

    Active dimensions alone make no latent that is in use: under free bits an encoder may go on to
    use what its decoder ignores. So the decoder is asked for all of them at once, too, and codes
    whose KL is below 0.1 nats say nothing of an image.

    Args:
        model: any model; a conditional one is told of the images.
        codes: codes of N images.
        likelihood: p(x|z), or the variance of a Gaussian one, broadcastable to (1, C, H, W); None
            is the model's own.
        seed: seed of the prior's samples.
        progress: shows which dimensions are decoded.

    Raises:
        ValueError: the posteriors are points, which collapse onto no prior.
    """
    if codes.rates is None:
        raise ValueError(
            "Points have no posterior that could collapse onto the prior: means and log-variances "
            "are needed."
        )
    seed = check_seed(seed)
    likelihood = likelihood_of(model, likelihood)
    active = codes.active
    used = torch.zeros_like(active)
    for own in _asked_together(~active, codes.level_dims):
        gained = precision(model, codes.latents[:CODES], own, likelihood, seed, progress)
        used[own] = gained / (1 + gained) > ACTIVE_VARIANCE
    ignored, lagging = ~active & ~used, ~active & used
    nothing = ""
    if active.any():
        own = active.nonzero()[:, 0].tolist()
        together = len(own) * precision(
            model, codes.latents[:CODES], own, likelihood, seed, progress
        )
        rate = float(codes.rates.double().mean())
        if together / (1 + together) <= ACTIVE_VARIANCE:
            nothing = f"the decoder ignores the {len(own)} dimensions that the encoder uses"
        elif rate < SILENT:
            nothing = f"KL {rate:.2f} nats say nothing of the image"
    verdict = _verdict(len(active), int(ignored.sum()), int(lagging.sum()), nothing)
    return Diagnosis(active, ignored, lagging, verdict + _silent_levels(codes))


def _asked_together(idle: Tensor, level_dims: Sequence[int]) -> list[list[int]]:
    """Return the numbers of idle dimensions, one by one or, of very many, those of each level."""
    numbers: list[int] = idle.nonzero()[:, 0].tolist()
    if len(numbers) <= MOST:
        return [[own] for own in numbers]
    levels = torch.split(torch.arange(len(idle)), list(level_dims) or [len(idle)])
    parts = [own[idle[own]].tolist() for own in levels]
    return [own for own in parts if own]


def precision(
    model: LatentModel,
    latents: Tensor,
    dimensions: list[int],
    likelihood: Likelihood | Tensor | float | None,
    seed: int = 0,
    progress: Progress = silent,
) -> float:
    """Return what an image tells of a latent dimension, in units of the prior's precision.

    For one dimension it is the mean of KL(p(x|z) || p(x|z')) over codes z and z' that differ in it
    alone, where both are independent samples of the prior. For a Gaussian likelihood that KL is
    |mu(z) - mu(z')|^2 / (2 sigma2), and for a linear decoder the mean is exactly what the dimension
    adds to the precision of p(z|x). Over images the posterior mean then has precision /
    (1 + precision) of the prior's variance, if no other dimension moves the image in the same
    direction. A decoder that ignores the dimension gives 0. Several dimensions are drawn anew
    together, and what they do is divided by their number: for a linear decoder whose dimensions
    move the image in different directions that is their mean.

    Args:
        model: any model.
        latents: (N, d) codes.
        dimensions: numbers of latent dimensions, from 0.
        likelihood: p(x|z), or the variance of a Gaussian one, broadcastable to (1, C, H, W); None
            is the model's own.
        seed: seed of the prior's samples.
        progress: shows that the dimensions are being decoded.
    """
    one, other = latents.clone(), latents.clone()
    one[:, dimensions], other[:, dimensions] = prior_pairs(model, latents, dimensions, seed)
    own, device = likelihood_of(model, likelihood), device_of(model)
    parts = []
    more = f" and {len(dimensions) - 1} more" if len(dimensions) > 1 else ""
    with evaluating(model), progress(f"dimension {dimensions[0] + 1}{more}", None):
        for rows in torch.split(torch.arange(len(one)), CHUNK):
            told = of_rows(model, rows)
            parameters, others = (told.parameters_at(z[rows].to(device)) for z in (one, other))
            parts.append(own.to(device).divergence(parameters, others).double().cpu())
    return float(torch.cat(parts).mean()) / len(dimensions)


def prior_pairs(model: LatentModel, latents: Tensor, dimensions: list[int], seed: int) -> Tensor:
    """Return (2, N, k) independent samples of k latent dimensions from the model's own prior.

    They are those coordinates of samples of all dimensions; the prior of a foreign model is
    N(0, I). Under N(0, I) those of one dimension depend on the seed and its number alone, whatever
    the model.

    Args:
        model: any model.
        latents: (N, d) codes, whose number, precision and device the samples have.
        dimensions: numbers of latent dimensions, from 0.
        seed: seed of the samples.
    """
    first, size = dimensions[0], (2, len(latents), len(dimensions))
    # A stream of its own: the codes were drawn with the same seed.
    stream = np.random.default_rng([seed, first])
    if not isinstance(model, GenerativeModel):
        return torch.from_numpy(stream.standard_normal(size)).to(latents)
    rows = torch.from_numpy(stream.standard_normal((sum(model.noise_dims), 2 * len(latents))))
    # The first row makes the dimension itself where a latent is its own noise, as under N(0, I).
    noise = rows.roll(first, 0).T.to(model.parameter)
    with torch.no_grad():
        samples = joined(model.from_noise(torch.split(noise, list(model.noise_dims), dim=1)))
    return samples[:, dimensions].view(size).to(latents)


def _silent_levels(codes: Codes) -> str:
    """Return the end of a verdict, which names levels of latents that say nothing of an image."""
    if codes.level_rates is None:
        return ""
    rates = codes.level_rates.double().mean(0).tolist()
    return verdict_on_levels(rates, torch.split(codes.active, list(codes.level_dims)))


def _verdict(dimensions: int, ignored: int, lagging: int, nothing: str) -> str:
    """Return the sentence on so many dimensions.

    Args:
        dimensions: d.
        ignored: idle ones that the decoder ignores.
        lagging: idle ones that the decoder uses.
        nothing: why the active ones say nothing of an image; empty if they do, or if there are
            none.
    """
    idle = ignored + lagging
    if not idle:
        said = f"no collapse: all {dimensions} latent dimensions are used"
        return f"COLLAPSED: {nothing}" if nothing else said
    if nothing:
        start = f"COLLAPSED: {nothing}"
    elif idle == dimensions:
        start = "COLLAPSED"
    elif 2 * idle >= dimensions:
        start = "partly collapsed"
    else:
        start = "some units idle"
    reasons = []
    if ignored:
        reasons.append(f"{ignored} ignored by the decoder (model collapse)")
    if lagging:
        reasons.append(f"{lagging} used by the decoder and not by the encoder (inference collapse)")
    between = "; " if nothing else ": "
    return f"{start}{between}of {dimensions} latent dimensions {' and '.join(reasons)}"
