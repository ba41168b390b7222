"""The losses of a split, by the model's own evaluation."""

from collections.abc import Iterable

import torch

from reslag_vae.models import BaseVAE
from reslag_vae.records import Batch


@torch.no_grad()
def evaluate(model: BaseVAE, batches: Iterable[Batch]) -> dict[str, float]:
    """Means over all images of the batches, by name, in evaluation mode and with the same noise at every call."""
    training = model.training
    model.eval()
    try:
        model.begin_evaluation()
        for batch in batches:
            model.evaluate_batch(Batch(*(tensor.to(model.train_mse.device) for tensor in batch)))
        return model.end_evaluation()
    finally:
        model.train(training)


def measure_yardstick(model: BaseVAE, train_batches: Iterable[Batch]) -> None:
    """Set the common yardstick's variance to the model's exact mean squared error on the training split."""
    model.train_mse.fill_(evaluate(model, train_batches)["rec"] / model.dimensions)
