"""The contenders of `benchmarks.training`: our own training, and what people would write instead.

All contenders do the same work on the same network: float32 (but for one that says otherwise), Adam
with one learning rate, and the loss of `sigma_data` (pythae has its own). A child process is one of
them: python -m benchmarks.contenders '<json of a Job>'
"""

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer, seed_everything

from benchmarks.frameworks import automatic, pythae
from benchmarks.loops import RATIO, data_loader, plain, plain_aggressive
from benchmarks.rounds import FinishedError, Job, Turns, synchronized_time
from benchmarks.workloads import WORKLOADS, compose_config
from reslag_vae._runtime import process
from reslag_vae._runtime.process import quiet
from reslag_vae.runs import provenance
from reslag_vae.training.at_once import AtOnce, minibatches_at_once
from reslag_vae.training.build import build, finished_loggers
from reslag_vae.training.callbacks import callbacks_of
from reslag_vae.training.system import BaseVAE


@dataclass(frozen=True)
class Contender:
    """A way of training.

    Attributes:
        name: the contender's name in the tables.
        train: function that trains in turns until there are no more.
        joint: the key of the contender whose joint steps are the unit of the cost, for one that
            trains aggressively; else None.
    """

    name: str
    train: Callable[[Job, Turns], None]
    joint: str | None = None


# reslag_vae


def prepare() -> None:
    """Set up the process as train.py does before anything is built."""
    quiet()
    process.tune()
    seed_everything(0, verbose=False)


def ours(
    job: Job, turns: Turns, overrides: tuple[str, ...] = (), at_once: int | None = None
) -> None:
    """Train as train.py does, with every callback; turns lie in the first epoch.

    W&B is offline, and left out where it is not installed.

    Args:
        job: the task.
        turns: the turns.
        overrides: options, as on the command line of train.py.
        at_once: number of minibatches that go through the training loop at once, at most; None for
            as many as train.py takes.
    """
    prepare()
    tracked = provenance.version_of("wandb") is not None
    logger = ("logger=wandb", "logger.mode=offline") if tracked else ("logger=none",)
    options = ("trainer.max_epochs=1", "trainer.compile=false", *logger, *overrides)
    config = compose_config(WORKLOADS[job.workload], job.batch_size, job.count, options)
    data, model, trainer = build(config, Path(job.folder))
    # A turn is as many of those that come at once as there are whole ones.
    at_once = min(at_once or minibatches_at_once(trainer, data, model), job.batches)
    loads = job.batches // at_once
    callbacks_of(trainer).insert(0, AtOnce(at_once))
    turns.images = loads * at_once * job.batch_size
    callbacks_of(trainer).insert(0, BatchTurns(turns, loads))
    with finished_loggers(trainer):
        trainer.fit(model, data)


class BatchTurns(Callback):
    """A callback that makes turns of some minibatches of a long epoch.

    It has to be the first of the callbacks.

    A turn is not an epoch, because what Weights & Biases does in the background at the end of an
    epoch would weigh many times more than in epochs of full length.
    """

    def __init__(self, turns: Turns, batches: int) -> None:
        self.turns, self.batches, self.started = turns, batches, 0.0

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """End a turn and begin the next one if the minibatch is the first of a turn.

        Raises:
            RuntimeError: the model cannot be compiled on this machine, or its steps not captured.
        """
        assert isinstance(pl_module, BaseVAE)
        if pl_module.compiled is not None and pl_module.compiled.failed:
            raise RuntimeError("it could not be compiled here")
        if pl_module.graphed is not None and pl_module.graphed.failed:
            raise RuntimeError("its steps could not be captured here")
        if batch_idx % self.batches == 0:
            if batch_idx:
                self.turns.end(synchronized_time() - self.started)
            self.turns.begin()
            self.started = synchronized_time()


AGGRESSIVE = (f"schedule.ratio={RATIO}", "schedule.epochs=1")
COMPILED = "trainer.compile=true"

# Of another checkout: there it is "ours".
BEFORE = "before"

CONTENDERS = {
    "ours": Contender("reslag_vae", ours),
    BEFORE: Contender("reslag_vae, before", ours),
    "ours_compiled": Contender("reslag_vae, compiled", partial(ours, overrides=(COMPILED,))),
    "ours_compiled_bf16": Contender(
        "reslag_vae, compiled, bf16-mixed",
        partial(ours, overrides=(COMPILED, "trainer.precision=bf16-mixed")),
    ),
    "plain": Contender("plain loop", plain),
    "plain_tuned": Contender("plain loop, our layout and allocator", partial(plain, tuned=True)),
    "plain_compiled": Contender("plain loop, compiled", partial(plain, compiled=True)),
    "plain_tuned_compiled": Contender(
        "plain loop, our layout and allocator, compiled", partial(plain, compiled=True, tuned=True)
    ),
    "dataloader": Contender("DataLoader loop", data_loader),
    "lightning": Contender("Lightning, over that DataLoader", automatic),
    "pythae": Contender("pythae", pythae),
    "ours_aggressive": Contender(
        "reslag_vae, aggressive n = 5", partial(ours, overrides=AGGRESSIVE), joint="ours"
    ),
    "ours_aggressive_compiled": Contender(
        "reslag_vae, aggressive n = 5, compiled",
        partial(ours, overrides=(*AGGRESSIVE, COMPILED)),
        joint="ours_compiled",
    ),
    "plain_aggressive": Contender("plain loop, aggressive n = 5", plain_aggressive, joint="plain"),
}


def main() -> None:
    """Train as the job's contender, until the parent process ends it."""
    job = Job(**json.loads(sys.argv[1]))
    turns = Turns(job.images)
    process.allow_rounded_products(True)  # of all contenders, as train.py does
    with suppress(FinishedError):
        CONTENDERS[job.contender].train(job, turns)
    turns.say_memory()


if __name__ == "__main__":
    main()
