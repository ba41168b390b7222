"""The minibatches of updates that do not take the training step's own."""

from collections.abc import Iterable, Iterator

from reslag_vae.data.images import Batch


def endless(loader: Iterable[Batch]) -> Iterator[Batch]:
    """Yield the minibatches of a loader, in pass after pass without end.

    Args:
        loader: training loader, each pass over which has an order of its own.
    """
    while True:
        yield from loader
