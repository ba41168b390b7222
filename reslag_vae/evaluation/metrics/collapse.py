"""Has the latent collapsed, and which kind of collapse is it?"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from reslag_vae.evaluation.adapters import LatentModel
from reslag_vae.evaluation.codes import Codes
from reslag_vae.evaluation.iteration import check_seed, device_of, evaluating
from reslag_vae.evaluation.metrics.bounds import likelihood_of
from reslag_vae.evaluation.progress import Progress, silent
from reslag_vae.latents.statistics import ACTIVE_VARIANCE, active_dimensions
from reslag_vae.likelihoods import Likelihood

# Codes in which an idle dimension is drawn anew, and how many are decoded at a time.
CODES, CHUNK = 256, 32


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
    likelihood: Likelihood | Tensor | float | None,
    seed: int = 0,
    progress: Progress = silent,
) -> Diagnosis:
    """Tell model collapse from inference collapse.

    After He et al. 2019, https://arxiv.org/abs/1901.05534, section 3. A dimension is idle if the variance of its posterior mean over images is at most 0.01 (Burda et
    al. 2016, section 5.2). If the decoder ignores it too, the model's own posterior p(z|x) says
    nothing of it either: model collapse. If the decoder uses it, the encoder lags behind the
    decoder: inference collapse, which more encoder updates (schedule=lagging) can mend. See
    `precision` for how the decoder is asked.

    Args:
        model: any.
        codes: of N images.
        likelihood: p(x|z), or the variance of a Gaussian one, broadcastable to (1, C, H, W); None is
            the model's own.
        seed: of the noise.
        progress: shows how many codes are decoded.

    Raises:
        ValueError: the posteriors are points, which collapse onto no prior.
    """
    if codes.rates is None:
        raise ValueError(
            "Points have no posterior that could collapse onto the prior: means and log-variances "
            "are needed."
        )
    check_seed(seed)
    likelihood = likelihood_of(model, likelihood)
    active = active_dimensions(codes.means)
    used = torch.zeros_like(active)
    for j in (~active).nonzero()[:, 0].tolist():
        gained = precision(model, codes.latents[:CODES], j, likelihood, seed, progress)
        used[j] = gained / (1 + gained) > ACTIVE_VARIANCE
    ignored, lagging = ~active & ~used, ~active & used
    return Diagnosis(
        active, ignored, lagging, _verdict(len(active), int(ignored.sum()), int(lagging.sum()))
    )


def precision(
    model: LatentModel,
    latents: Tensor,
    dimension: int,
    likelihood: Likelihood | Tensor | float | None,
    seed: int = 0,
    progress: Progress = silent,
) -> float:
    """Return what an image tells of one latent dimension, in units of the prior's precision.

    It is the mean, over codes z and z' that differ in that dimension alone, where both are drawn
    from N(0, 1), of KL(p(x|z) || p(x|z')): for a Gaussian likelihood |mu(z) - mu(z')|^2 / (2 sigma2).
    For a linear decoder that is exactly what the dimension adds to the precision of p(z|x), whose
    mean then varies by precision / (1 + precision) over images if no other dimension moves the image
    in the same direction. A decoder that ignores the dimension gives 0.

    Args:
        model: any.
        latents: (N, d) codes.
        dimension: that is drawn anew, from 0.
        likelihood: p(x|z), or the variance of a Gaussian one, broadcastable to (1, C, H, W); None is
            the model's own.
        seed: of what is drawn.
        progress: shows how many codes are decoded.
    """
    # A stream of its own: the codes were drawn with the same seed.
    numbers = np.random.default_rng([seed, dimension]).standard_normal((2, len(latents)))
    pair = torch.from_numpy(numbers).to(latents)
    one, other = latents.clone(), latents.clone()
    one[:, dimension], other[:, dimension] = pair
    own, device = likelihood_of(model, likelihood), device_of(model)
    parts = []
    with evaluating(model), progress(f"dimension {dimension + 1}", None):
        for left, right in zip(torch.split(one, CHUNK), torch.split(other, CHUNK), strict=True):
            parameters, others = (model.parameters_at(z.to(device)) for z in (left, right))
            parts.append(own.to(device).divergence(parameters, others).double().cpu())
    return float(torch.cat(parts).mean())


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
