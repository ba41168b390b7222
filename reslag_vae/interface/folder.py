"""The folder and the log of a run that is started in Python."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import CONFIG_FILE, LOCK_FILE, LOG_FILE

LINE = logging.Formatter("[%(asctime)s] %(message)s", "%H:%M:%S")
IN_FILE = logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s")


@contextmanager
def made(folder: Path) -> Iterator[None]:
    """Make a folder within the context, and remove it again if no run has begun in it.

    Raises:
        RunError: the folder cannot be made.
    """
    there = folder.exists()
    missing = [own for own in (folder, *folder.parents) if not own.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder} cannot be the folder of a run: {error.strerror}.") from None
    try:
        yield
    finally:
        if not (folder / CONFIG_FILE).exists():
            if not there:
                (folder / LOG_FILE).unlink(missing_ok=True)
                (folder / LOCK_FILE).unlink(missing_ok=True)
            for own in missing:
                with suppress(OSError):  # something is in it
                    own.rmdir()


@contextmanager
def logged(folder: Path) -> Iterator[None]:
    """Show what this package logs within the context, and keep it in the run's log.

    Where the program shows its log already, as in a job of Hydra's, it is shown there alone.

    Args:
        folder: folder of the run.
    """
    logger = logging.getLogger("reslag_vae")
    file = logging.FileHandler(
        folder / LOG_FILE, encoding="utf-8", delay=True, errors="backslashreplace"
    )
    file.setFormatter(IN_FILE)
    handlers: list[logging.Handler] = [file]
    if not logging.getLogger().handlers:
        shown = logging.StreamHandler(sys.stdout)
        shown.setFormatter(LINE)
        handlers.append(shown)
    before = logger.level
    logger.setLevel(logging.INFO)
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        logger.setLevel(before)
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
