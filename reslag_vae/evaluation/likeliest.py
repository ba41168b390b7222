"""The classes of images that a conditional model is not told."""

import torch
from torch import Tensor

from reslag_vae.models import GenerativeModel


@torch.no_grad()
def likeliest_classes(model: GenerativeModel, images: Tensor) -> Tensor:
    """Return the (B,) numbers of the classes y whose p(x|y) is largest, by the ELBO at the mean.

    Args:
        model: a model that is told classes, in evaluation mode.
        images: (B, C, H, W) images in [0, 1], on its device.
    """
    assert model.condition is not None, "a model that is told classes"
    still = tuple(images.new_zeros(len(images), width) for width in model.level_dims)
    costs = []
    for row in torch.eye(model.condition.count).to(model.parameter):
        inferred, parameters = model.told(row[None]).infer_and_decode(images, still)
        cost, rate = model.likelihood(images, parameters).nll, inferred.rate()
        costs.append(cost if rate is None else cost + rate)
    return torch.stack(costs).argmin(0)
