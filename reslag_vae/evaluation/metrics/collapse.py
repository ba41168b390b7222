"""Has the latent collapsed, and which kind of collapse is it?"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from reslag_vae.evaluation.adapters import LatentModel, check_seed
from reslag_vae.evaluation.codes import Codes, decode
from reslag_vae.evaluation.metrics.bounds import given_variance
from reslag_vae.evaluation.progress import Progress, silent
from reslag_vae.latents.gaussian import DiagonalGaussian
from reslag_vae.latents.statistics import ACTIVE_VARIANCE, active_dimensions

# Codes in which an idle dimension is drawn anew.
CODES = 256


class Diagnosis(NamedTuple):
    """Of each latent dimension, and in words.

    Attributes:
        active: (d,) bool: the encoder uses the dimension, the mean of q(z|x) differs between
            images.
        ignored: (d,) bool: the encoder does not, and neither does the decoder: model collapse.
        lagging: (d,) bool: the encoder does not, and the decoder does: inference collapse.
        verdict: one plain sentence.
    """

    active: Tensor
    ignored: Tensor
    lagging: Tensor
    verdict: str


def diagnose(
    model: LatentModel,
    codes: Codes,
    sigma2: Tensor | float,
    seed: int = 0,
    progress: Progress = silent,
) -> Diagnosis:
    """Model collapse or inference collapse, after He et al. 2019, https://arxiv.org/abs/1901.05534, section 3.

    A dimension is idle if the variance of its posterior mean over images is at most 0.01 (Burda et
    al. 2016, section 5.2). If the decoder ignores it too, the model's own posterior p(z|x) says
    nothing of it either: model collapse. If the decoder uses it, the encoder lags behind the
    decoder: inference collapse, which more encoder updates (schedule=lagging) can mend. See
    `precision` for how the decoder is asked.

    Args:
        model: any.
        codes: of N images.
        sigma2: the likelihood variance, broadcastable to (1, C, H, W).
        seed: of the noise.
        progress: shows how many codes are decoded.

    Raises:
        ValueError: the posteriors are points, which collapse onto no prior.
    """
    if not isinstance(codes.posterior, DiagonalGaussian):
        raise ValueError(
            "Points have no posterior that could collapse onto the prior: means and log-variances are needed."
        )
    check_seed(seed)
    sigma2 = given_variance(sigma2)
    active = active_dimensions(codes.means)
    used = torch.zeros_like(active)
    for j in (~active).nonzero()[:, 0].tolist():
        gained = precision(model, codes.latents[:CODES], j, sigma2, seed, progress)
        used[j] = gained / (1 + gained) > ACTIVE_VARIANCE
    ignored, lagging = ~active & ~used, ~active & used
    return Diagnosis(
        active, ignored, lagging, _verdict(len(active), int(ignored.sum()), int(lagging.sum()))
    )


def precision(
    model: LatentModel,
    latents: Tensor,
    dimension: int,
    sigma2: Tensor | float,
    seed: int = 0,
    progress: Progress = silent,
) -> float:
    """What an image tells of one latent dimension under the model, in units of the prior's precision.

    The mean, over codes z and z' that differ in that dimension alone, where both are drawn from the
    prior, of |mu(z) - mu(z')|^2 / (2 sigma2). For a linear decoder it is exactly what the dimension
    adds to the precision of p(z|x), whose mean then varies by precision / (1 + precision) over
    images if no other dimension moves the image in the same direction. A decoder that ignores the
    dimension gives 0.

    Args:
        model: any.
        latents: (N, d) codes.
        dimension: that is drawn anew, from 0.
        sigma2: the likelihood variance, broadcastable to (1, C, H, W).
        seed: of what is drawn.
        progress: shows how many codes are decoded.
    """
    # A stream of its own: the codes were drawn with the same seed.
    pair = torch.from_numpy(
        np.random.default_rng([seed, dimension]).standard_normal((2, len(latents)))
    ).to(latents)
    one, other = latents.clone(), latents.clone()
    one[:, dimension], other[:, dimension] = pair
    with progress(f"dimension {dimension + 1}", None):
        difference = decode(model, one) - decode(model, other)
    variance = torch.as_tensor(sigma2).to(difference)
    return float((difference.square() / variance).flatten(1).sum(1).double().mean()) / 2


def _verdict(dimensions: int, ignored: int, lagging: int) -> str:
    idle = ignored + lagging
    if not idle:
        return f"no collapse: all {dimensions} latent dimensions are used"
    start = (
        "COLLAPSED"
        if idle == dimensions
        else "partly collapsed"
        if 2 * idle >= dimensions
        else "some units idle"
    )
    reasons = []
    if ignored:
        reasons.append(f"{ignored} ignored by the decoder (model collapse)")
    if lagging:
        reasons.append(f"{lagging} used by the decoder and not by the encoder (inference collapse)")
    return f"{start}: of {dimensions} latent dimensions {' and '.join(reasons)}"
