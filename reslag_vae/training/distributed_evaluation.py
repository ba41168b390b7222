"""An evaluation whose minibatches several processes take in turns."""

from typing import Any

from reslag_vae._runtime import collectives
from reslag_vae.data.images import Batch
from reslag_vae.evaluation.epoch import EvaluationEpoch


def add_in_turn(evaluation: EvaluationEpoch, batch: Batch, batch_idx: int, loader: Any) -> None:
    """Add a minibatch to an evaluation whose minibatches the processes take in turns.

    The noise of the minibatches in between, which other processes evaluate, is skipped: each image
    has the noise that it would have with one process.

    Args:
        evaluation: evaluation of this process.
        batch: minibatch of this process; empty if the split has none for it.
        batch_idx: number of the minibatch among those of this process, from 0.
        loader: loader of the split. Its sampler has the size of a whole minibatch.
    """
    others = collectives.rank() if batch_idx == 0 else collectives.count() - 1
    if others:
        evaluation.skip(others, loader.sampler.batch_size)
    if len(batch.images):
        evaluation.add(batch)
