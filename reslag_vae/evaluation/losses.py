"""The losses of a split, by the model's own evaluation."""

from collections.abc import Callable, Iterable

from reslag_vae.evaluation.adapters import device_of, evaluating
from reslag_vae.records import Batch, Terms
from reslag_vae.training.system import BaseVAE


def evaluate(
    model: BaseVAE, batches: Iterable[Batch], each: Callable[[Terms], object] = lambda _: None
) -> dict[str, float]:
    """Means over all images of the batches, by name, in evaluation mode and with the same noise at every call.

    Args:
        model: of this package.
        batches: of images.
        each: is given the per-image terms of each minibatch.
    """
    with evaluating(model):
        model.begin_evaluation()
        for batch in batches:
            each(model.evaluate_batch(Batch(*(tensor.to(device_of(model)) for tensor in batch))))
        return model.end_evaluation()


def measure_yardstick(model: BaseVAE, train_batches: Iterable[Batch]) -> None:
    """Set the common yardstick's variance to the model's exact mean squared error on the training split."""
    model.train_mse.fill_(evaluate(model, train_batches)["rec"] / model.dimensions)
