"""The measurement of a trained model on validation and test."""

from collections.abc import Callable

import numpy as np
import torch

from reslag_vae.data import ImageDataModule
from reslag_vae.evaluation.epoch import evaluate, measure_yardstick
from reslag_vae.objectives import Terms
from reslag_vae.training.system import BaseVAE

# The metrics that every result has, if only as None, and that its table shows.
METRICS = ("loss", "rec", "kl", "kl_per_dim", "elbo", "bits_per_dim", "sigma2")


def measure(
    model: BaseVAE, data: ImageDataModule, each: Callable[[Terms], object] = lambda _: None
) -> dict[str, dict[str, float | None]]:
    """Return the validation and test metrics of a trained model, by split and name.

    Images come in batches as large as in validation. The yardstick's variance is measured on the
    whole training split before, unless the likelihood is a mass, which is its own yardstick. A
    metric that the variant does not have, such as an autoencoder's KL, is None.

    Args:
        model: trained model.
        data: data that it was trained on.
        each: function that gets the per-image terms of each minibatch of the test split.
    """
    own, objective, size = model.model, model.objective, data.validated_at_once
    if not own.likelihood.discrete:
        model.train_mse.fill_(measure_yardstick(own, objective, data.in_order("train", size)))
    train_mse = float(model.train_mse)
    test = evaluate(own, objective, data.in_order("test", size), each).metrics(train_mse)
    # The pictures drawn after it show validation, as during training.
    model.evaluation = evaluate(own, objective, data.in_order("val", size))
    val = model.evaluation.metrics(train_mse)
    return {"val": {**dict.fromkeys(METRICS), **val}, "test": {**dict.fromkeys(METRICS), **test}}


def per_image(parts: list[Terms], mass: bool) -> dict[str, np.ndarray]:
    """Return numbers of each image, (N,) float32 in the order of the images, by name.

    They are `rec`, the sum of squared errors; `kl`, in nats, if the model has a KL; and `nll`,
    -log p(x|z) in nats, if the likelihood is a mass.

    Args:
        parts: per-image terms of each minibatch.
        mass: whether the likelihood is a mass.
    """
    arrays = {"rec": torch.cat([part.rec for part in parts])}
    kls = [part.kl for part in parts if part.kl is not None]
    if kls:
        arrays["kl"] = torch.cat(kls)
    if mass:
        arrays["nll"] = torch.cat([part.distortion for part in parts])
    return {name: values.float().cpu().numpy() for name, values in arrays.items()}
