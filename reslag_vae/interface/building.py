"""The data, the model and the trainer of a run, for a person who calls them."""

from pathlib import Path
from typing import Any

from lightning import Trainer, seed_everything

from reslag_vae import options
from reslag_vae._runtime import process
from reslag_vae.data import ImageDataModule
from reslag_vae.interface.arguments import asked
from reslag_vae.interface.fitting import folder_of
from reslag_vae.training import build as training
from reslag_vae.training.callbacks import callbacks_of
from reslag_vae.training.first_stage import begin_with_run
from reslag_vae.training.second_stage import is_second_stage
from reslag_vae.training.system import BaseVAE
from reslag_vae.training.whole_run import WholeRun


def build(
    *overrides: str, folder: str | Path | None = None, **choices: Any
) -> tuple[ImageDataModule, BaseVAE, Trainer]:
    """Return the data, the model and the trainer that `reslag train <overrides>` would have.

    `trainer.fit(model, data)` is then the whole run, and leaves in its folder what one of the
    command line does. Until then nothing is written.

    Args:
        *overrides: options, as on the command line: `"model=reslag_light"`, `"data=cifar10"`.
        folder: folder of the run; None makes one in `runs/`.
        **choices: choices of groups and options without a dot: `model="reslag_light"`.

    Raises:
        ConfigError: an option is wrong, or does not go with another.
        DataError: the length of the run depends on its data, and they are missing or damaged.
        RunError: a second stage cannot begin with the run that is named.
    """
    run = asked(None, overrides, choices)
    options.check(run.config)
    place = folder_of(run.place, folder)
    process.quiet()
    process.tune()
    process.allow_rounded_products(True)
    config, data = training.measured(run.config, place, None, run.system)
    seed_everything(config.seed, verbose=False)
    data, model, trainer = training.build(config, place, data, run.system)
    if is_second_stage(config):
        begin_with_run(model, config)
    callbacks_of(trainer).append(WholeRun(config, place))
    return data, model, trainer
