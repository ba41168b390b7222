"""Training in one call."""

import logging
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig

from reslag_vae import options
from reslag_vae._runtime.errors import ConfigError, permission_errors
from reslag_vae._runtime.process import kept_products
from reslag_vae._runtime.signals import interruptible
from reslag_vae.interface.arguments import asked, refuse_option
from reslag_vae.interface.compose import as_overrides, check_overrides
from reslag_vae.interface.folder import logged, made
from reslag_vae.models import GenerativeModel
from reslag_vae.runs.config import check_trust, plain
from reslag_vae.runs.describe import unmade
from reslag_vae.runs.folder import IMAGES_FILE
from reslag_vae.runs.lock import occupied
from reslag_vae.training.job import refuse_mixing
from reslag_vae.training.main import run
from reslag_vae.training.resume import resumed

log = logging.getLogger(__name__)


def fit(
    pictures: Any = None,
    *overrides: str,
    labels: Any = None,
    validation: Any = None,
    size: int | None = None,
    channels: int | None = None,
    folder: str | Path | None = None,
    resume: str | Path | None = None,
    **choices: Any,
) -> GenerativeModel:
    """Train a model on pictures, as `reslag train` does, and return it.

    The run's folder has everything that one of the command line has. Images in memory are kept
    there, too, up to 1 GB, so that they can be evaluated: see `Arrays`.

    Args:
        pictures: folder of pictures; (N, C, H, W), (N, H, W, C) or (N, H, W) images as an array or
            a tensor, whole numbers in 0..255 or floating point in [0, 1]; a list of pictures; a
            Dataset or a DataLoader of images, or of pairs of images and labels, which is read
            once; or a file of arrays, `.npy` or `.npz`. None where `data=` names a data set, or
            `run=` the run that a second stage begins with.
        *overrides: options, as on the command line: `"trainer.max_epochs=5"`.
        labels: (N,) class numbers or names of images in memory.
        validation: part of train that is taken for validation, in (0, 1); or, for images in
            memory, those of the validation split, or a pair of images and labels.
        size: height and width that the pictures of a folder get, in pixels.
        channels: 3 or 1 for the pictures of a folder: colour, or grey.
        folder: folder of the run; None makes one in `runs/`.
        resume: folder of a run that goes on where it was, in place of the pictures. Beside it only
            such overrides may stand as on the command line.
        **choices: choices of groups and options without a dot, as on the command line:
            `model="optimal_sigma"`, `objective="sigma_optimal"`, `seed=1`. `model` may also be a
            variant that was made by hand.

    Returns:
        The model with the weights of the best epoch, as `reslag_vae.load(folder)` returns it.

    Raises:
        ConfigError: an option is wrong, or does not go with another.
        DataError: the pictures are missing, damaged, or none.
        RunError: the folder holds a run already, or a second stage cannot begin with `run=`.
        KeyboardInterrupt: the user stopped it; what the finished epochs have left stays, and the
            run can go on.
    """
    if resume is not None:
        refuse_option(pictures)
        beside = {"labels": labels, "validation": validation, "size": size, "channels": channels}
        refuse_beside_resume({"pictures": pictures, **beside, "folder": folder})
        return resumed_fit(Path(resume).expanduser(), overrides, choices)
    run_asked = asked(pictures, overrides, choices, labels, validation, size, channels)
    config, data, system = run_asked.config, run_asked.data, run_asked.system
    place = folder_of(run_asked.place, folder)
    if data is not None:
        config.data.folder = str((place / IMAGES_FILE).absolute())
    options.check(config)
    with made(place):
        refuse_mixing(place)
        foreign = None if system is None else unmade(system.model)
        if foreign:
            log.warning(
                "The model is made with a %s, which the run's folder names and does not hold: "
                "evaluate.py and load cannot build it. A subclass of Network can be built again.",
                foreign,
            )
        return in_folder(config, place, data, system)


def refuse_beside_resume(arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that a resumed run would pass over: it has its pictures and its folder.

    Args:
        arguments: values of the arguments by name; None where they are left out.

    Raises:
        ConfigError: one is given; the message names it.
    """
    for name, value in arguments.items():
        if value is not None:
            whose = "in the folder" if name == "folder" else "with the pictures"
            raise ConfigError(f"resume: goes on {whose} of the run; leave {name} out.")


def resumed_fit(
    folder: Path, overrides: tuple[str, ...], choices: dict[str, Any]
) -> GenerativeModel:
    """Go on with a run, and return its model.

    Raises:
        ConfigError: an option is one that a resumed run cannot have.
        RunError: the folder holds no run.
    """
    words = [*check_overrides(overrides), *as_overrides(choices)]
    trust = check_trust(plain(choices.get("trust", [])))
    config = resumed(folder, words, trust)
    options.check(config)
    return in_folder(config, folder, None, None)


def in_folder(config: DictConfig, folder: Path, data: Any, system: Any) -> GenerativeModel:
    """Train in a folder that this process locks, and return the model.

    After it the random numbers of the program go on as before, and its products are as exact.

    Args:
        config: configuration of the run.
        folder: folder of the run.
        data: data module of the run, or None.
        system: system of the run, or None.

    Raises:
        KeyboardInterrupt: the user stopped it.
    """
    try:
        with (
            interruptible(),
            permission_errors(),
            occupied(folder),
            logged(folder),
            kept_random_state(),
            kept_products(),
        ):
            trained = run(config, folder, data, system)[1]
    except SystemExit as error:
        if error.code != INTERRUPTED:
            raise
        raise KeyboardInterrupt(
            f"stopped; reslag_vae.load({str(folder)!r}) gives the best of the epochs that have "
            f"ended, and reslag_vae.fit(resume={str(folder)!r}) goes on"
        ) from None
    model = trained.model.cpu()
    model.requires_grad_(False).eval()
    return model


@contextmanager
def kept_random_state() -> Iterator[None]:
    """Have the random numbers of Python, numpy and torch go on after the context as before it."""
    python, numbers = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)


def folder_of(place: Path, given: str | Path | None) -> Path:
    """Return the path of a run's folder: the given one, or a new one, named by the time.

    Args:
        place: data and model of the run.
        given: folder that a person names; None for a new one.

    Raises:
        ConfigError: the name is empty.
    """
    if given == "":
        raise ConfigError("folder='': name a folder, or leave it out for a new one in runs.")
    if given is not None:
        return Path(given).expanduser()
    return Path("runs") / place / datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")


# Exit code of a process that Ctrl-C has ended.
INTERRUPTED = 130
