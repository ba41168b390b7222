"""The classes of images that a conditional model is not told."""

import torch
from torch import Tensor

from reslag_vae.models import GenerativeModel
from reslag_vae.objectives import Objective


@torch.no_grad()
def likeliest_classes(
    model: GenerativeModel, images: Tensor, objective: Objective | None
) -> Tensor:
    """Return the (B,) numbers of the classes y whose p(x|y) is largest, by the ELBO at the mean.

    Where training implies no variance, and so no ELBO, it is the class that reconstructs best.

    Args:
        model: a model that is told classes, in evaluation mode.
        images: (B, C, H, W) images in [0, 1], on its device.
        objective: the objective that it was trained with, whose weight of the KL may imply the
            likelihood's variance; None if it is not known.
    """
    assert model.condition is not None, "a model that is told classes"
    weight = None if objective is None else objective.kl_weight(model.latent_dim)
    density = model.likelihood.evaluated(weight)
    likelihood = model.likelihood if density is None else density.to(images.device).eval()
    costs = []
    for row in torch.eye(model.condition.count).to(model.parameter):
        inferred, parameters = model.told(row[None]).infer_and_decode(
            images, model.no_noise(images)
        )
        cost, rate = likelihood(images, parameters).nll, inferred.rate()
        costs.append(cost if rate is None or density is None else cost + rate)
    return torch.stack(costs).argmin(0)
