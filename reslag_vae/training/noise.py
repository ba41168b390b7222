"""The random numbers of a training step, which do not depend on the number of processes."""

import torch
from torch import Tensor

from reslag_vae._runtime import collectives
from reslag_vae.latents.inferred import joined
from reslag_vae.models import GenerativeModel
from reslag_vae.objectives import Objective
from reslag_vae.training.freezing import averages_kept


def draw_noise(
    model: GenerativeModel, objective: Objective, images: Tensor
) -> tuple[tuple[Tensor, ...] | None, Tensor | None]:
    """Draw the random numbers that one process would draw for the B images of all processes.

    Args:
        model: model that is trained.
        objective: objective that is minimised.
        images: (b, C, H, W) images of this process.

    Returns:
        Noise of each level's samples, (b, d_l); None if the posteriors are points.
        Samples of the prior, (P, d); None if the objective needs none.
    """
    count = len(images) * collectives.count()
    dtype = images.dtype if images.is_floating_point() else torch.float32
    noise = None
    if not model.deterministic:
        noise = tuple(
            collectives.own_part(torch.randn(count, width, dtype=dtype, device=images.device))
            for width in model.level_dims
        )
    prior = None
    if objective.draws_prior:
        # A hierarchy samples through its decoder, whose averages are those of images alone.
        with averages_kept(model):
            prior = joined(model.sample_latents(objective.prior_count(count))).to(dtype)
    return noise, prior
