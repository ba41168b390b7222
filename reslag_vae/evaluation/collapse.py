"""Has the latent collapsed, and which kind of collapse is it?"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from reslag_vae.latent import ACTIVE_VARIANCE

Kind = Literal["none", "model", "inference", "mixed"]

# Standard errors by which a variance must lie above the threshold to count as activity.
CONFIDENCE = 3.0


class Diagnosis(NamedTuple):
    """Of each latent dimension, and in words.

    Attributes:
        active: (d,) bool: the encoder uses the dimension, the mean of q(z|x) differs between images.
        wanted: (d,) bool: the decoder uses it, the mean of the model's own posterior p(z|x) differs between images.
        kind: of the idle dimensions: `none` of them, `model` collapse, `inference` collapse, or both (`mixed`).
        verdict: one plain sentence.
    """

    active: Tensor
    wanted: Tensor
    kind: Kind
    verdict: str


def diagnose(means: Tensor, halves: Tensor) -> Diagnosis:
    """Model collapse or inference collapse, after He et al. 2019, https://arxiv.org/abs/1901.05534, section 3.

    A dimension is idle if the encoder says the same of it for every image. If the model's own posterior p(z|x) does so
    too, the decoder ignores the dimension: model collapse. If p(z|x) differs between images, the encoder lags behind
    the decoder: inference collapse, which more encoder updates (schedule=lagging) can mend. Activity is a variance of
    posterior means over images above 0.01 (Burda et al. 2016, section 5.2); that of p(z|x) is the covariance of
    two independent estimates of its means, in which their errors cancel, and must exceed 0.01 by 3 standard errors.

    Args:
        means: (N, d) of q(z|x).
        halves: (2, N, d) estimates of the means of p(z|x), `Bounds.halves`.
    """
    active = means.double().var(0, unbiased=False) > ACTIVE_VARIANCE
    products = torch.stack([half - half.mean(0) for half in halves.double()]).prod(0)
    error = products.std(0) / len(products) ** 0.5
    wanted = products.mean(0) - CONFIDENCE * error > ACTIVE_VARIANCE
    ignored, lagging = int((~active & ~wanted).sum()), int((~active & wanted).sum())
    kind: Kind = "none"
    if ignored or lagging:
        kind = "mixed" if ignored and lagging else "model" if ignored else "inference"
    return Diagnosis(active, wanted, kind, _verdict(len(active), ignored, lagging))


def _verdict(dimensions: int, ignored: int, lagging: int) -> str:
    idle = ignored + lagging
    if not idle:
        return f"no collapse: all {dimensions} latent dimensions are used"
    start = "COLLAPSED" if idle == dimensions else "partly collapsed" if 2 * idle >= dimensions else "some units idle"
    reasons = []
    if ignored:
        reasons.append(f"{ignored} ignored by the decoder (model collapse)")
    if lagging:
        reasons.append(f"{lagging} used by the decoder and not by the encoder (inference collapse)")
    return f"{start}: of {dimensions} latent dimensions {' and '.join(reasons)}"
