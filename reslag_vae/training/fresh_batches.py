"""The minibatches of updates that do not take the training step's own."""

from collections.abc import Iterable, Iterator

from reslag_vae.data.images import Batch, as_batch


def endless(loader: Iterable[Batch], size: int | None = None) -> Iterator[Batch]:
    """Yield the minibatches of a loader, in pass after pass without end.

    Args:
        loader: training loader, each pass over which has an order of its own.
        size: number of images in a minibatch where the loader gives several at once.
    """
    while True:
        for given in loader:
            batch = as_batch(given)
            yield from batch.split(size or len(batch.images))
