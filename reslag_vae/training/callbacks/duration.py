"""The callback that says how long a run will take."""

import logging
from math import inf
from time import monotonic
from typing import Any

from lightning import Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping, Timer

from reslag_vae.data.images import as_batch
from reslag_vae.training.at_once import minibatches_of_epoch
from reslag_vae.training.lookup import callback_of
from reslag_vae.training.system import BaseVAE

log = logging.getLogger(__name__)

# Seconds after which the first steps are taken for the others, of which the very first, in which
# memory is found and kernels are chosen, are left out.
PATIENCE, WARM_UP = 3.0, 2

# Seconds that are too few to be told.
WORTH_TELLING = 10.0


class Duration(Callback):
    """A callback that says in one line, after some seconds, how long the run will take.

    It is measured on the first steps. `left` is what finished epochs have shown, with their
    validation and pictures. A run that is over by then says nothing.

    Attributes:
        left: seconds that the run will still take; None before its first epoch has ended.
    """

    def __init__(self) -> None:
        self.left: float | None = None
        self.began, self.first_epoch, self.told = monotonic(), 0, False
        self.calls, self.steps, self.seconds, self.step_ended = 0, 0, 0.0, 0.0

    def on_train_start(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        """Start the clock."""
        self.began, self.first_epoch = monotonic(), trainer.current_epoch

    def on_train_epoch_start(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        """Leave out what came between the last step and the first of the epoch."""
        self.step_ended = monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: BaseVAE, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Say how long the run will take, once enough steps were made."""
        if self.told:
            return
        now = monotonic()
        self.calls += 1
        if self.calls > WARM_UP:
            self.seconds += now - self.step_ended
            self.steps += len(pl_module.steps.sizes(as_batch(batch)))
        self.step_ended = now
        if self.steps and now - self.began >= PATIENCE:
            self.told = True
            if trainer.is_global_zero:
                tell(trainer, pl_module, self.seconds / self.steps, self.left)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        """Take note of the time that the epoch took."""
        ended = trainer.current_epoch + 1
        done = work(pl_module, self.first_epoch, ended)
        to_do = work(pl_module, ended, trainer.max_epochs or 0)
        self.left = (monotonic() - self.began) * to_do / done


def tell(trainer: Trainer, model: BaseVAE, of_step: float, left: float | None = None) -> None:
    """Log how long a run will take, if it is worth telling.

    Args:
        trainer: trainer of the run, in its first epoch since it was started.
        model: model of the run.
        of_step: seconds of a step of this epoch.
        left: seconds that finished epochs have shown to be left; None where none has ended.
    """
    epoch, epochs = trainer.current_epoch, trainer.max_epochs or 0
    batches = minibatches_of_epoch(trainer)
    unit = of_step / weight(model, epoch)
    steps = unit * batches * work(model, epoch, epochs)
    seconds = steps if left is None else left
    allowed = seconds_allowed(trainer)
    if seconds >= WORTH_TELLING and seconds > allowed:
        log.info(
            "About %s, until trainer.max_time is over: all %s epochs would take about %s.",
            in_words(allowed),
            f"{epochs:,}",
            in_words(seconds),
        )
        return
    rest = "; validation and pictures come on top" if left is None else ""
    aggressive = ", aggressive ones," if weight(model, epoch) > 1 else ""
    early = may_end_early(trainer, model)
    fewer = ", or fewer if it gets no better" if early else ""
    if seconds >= WORTH_TELLING:
        log.info(
            "%s %s: %s updates of the decoder%s at %s%s%s.",
            "At most" if early else "About",
            in_words(seconds),
            f"{batches * (epochs - epoch):,}",
            aggressive,
            milliseconds(of_step),
            fewer,
            rest,
        )


def seconds_allowed(trainer: Trainer) -> float:
    """Return the seconds that are left of trainer.max_time; infinity where there is none."""
    timer = callback_of(trainer, Timer)
    left = None if timer is None else timer.time_remaining()
    return inf if left is None else max(0.0, left)


def may_end_early(trainer: Trainer, model: BaseVAE) -> bool:
    """Return whether a run may end before its last epoch, where it gets no better."""
    stops = callback_of(trainer, EarlyStopping) is not None
    return stops or model.optimizer.plateau is not None


def work(model: BaseVAE, first: int, end: int) -> float:
    """Return the work of some epochs, where one of joint updates has 1.

    Args:
        model: model of the run.
        first: number of the first epoch, from 0.
        end: number of the epoch after the last.
    """
    return float(sum(weight(model, epoch) for epoch in range(first, end)))


def weight(model: BaseVAE, epoch: int) -> float:
    """Return the work of an epoch, from 0, in epochs of joint updates."""
    schedule = model.schedule
    aggressive = schedule.aggressive_epochs(epoch + 1) > epoch
    return schedule.encoder_updates if aggressive else 1.0


def in_words(seconds: float) -> str:
    """Return a duration in seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def milliseconds(seconds: float) -> str:
    """Return a duration in milliseconds, with two digits at least."""
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.01 else f"{1000 * seconds:.1f} ms"
