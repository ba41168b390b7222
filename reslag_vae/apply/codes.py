"""The codes of a batch of images, as vectors and as the columns of a table."""

from typing import NamedTuple

import numpy as np
from torch import Tensor

from reslag_vae.latents.codes import Coded
from reslag_vae.latents.inferred import Inferred, joined
from reslag_vae.models import GenerativeModel


class Encoded(NamedTuple):
    """What a model infers from B images, without noise.

    Attributes:
        inferred: result of inference.
        parameters: (B, P, H, W) parameters of p(x|z) at the posterior means.
    """

    inferred: Inferred
    parameters: Tensor

    @property
    def means(self) -> Tensor:
        """The (B, d) posterior means of all levels."""
        return joined(self.inferred.means)


def encoded(model: GenerativeModel, images: Tensor) -> Encoded:
    """Return what a model infers from (B, C, H, W) images in [0, 1], without noise."""
    inferred = model.infer(images, model.no_noise(images))
    return Encoded(inferred, model.parameters_at(joined(inferred.means)))


def columns_of(inferred: Inferred) -> dict[str, np.ndarray]:
    """Return the codes of B images as columns of a table.

    They are `z`, (B, d) posterior means, or `code`, the (B, N) numbers of the codes at N positions,
    row by row. Of several levels each has its own, the top one first: `level1_z`, `level2_z`, ...
    """
    several = len(inferred.posteriors) > 1
    columns = {}
    for level, posterior in enumerate(inferred.posteriors, 1):
        discrete = isinstance(posterior, Coded)
        values = posterior.indices if isinstance(posterior, Coded) else posterior.mean
        name = "code" if discrete else "z"
        columns[f"level{level}_{name}" if several else name] = values.cpu().numpy()
    return columns
