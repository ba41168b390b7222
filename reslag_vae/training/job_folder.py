"""The folder of a job: a refused command removes what it has made, and nothing else."""

import os
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, read_write

from reslag_vae.runs.folder import CONFIG_FILE, LOG_FILE

# The folders that are made for this process, innermost first, and the names of what was in its
# job's folder before.
_made: list[Path] = []
_before: set[str] = set()


class FolderWatch(Callback):
    """A Hydra callback that checks, before Hydra makes a job's folder, that it can be written.

    It notes what is there already.
    """

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        HydraConfig.instance().set_config(config)  # the folder's name refers to it
        expand_home(config.hydra.run)
        note_missing(Path(str(config.hydra.run.dir)))

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        HydraConfig.instance().set_config(config)
        expand_home(config.hydra.sweep)
        note_missing(Path(str(config.hydra.sweep.dir)))

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        folder = folder_of_job()
        refuse_log(folder / LOG_FILE)
        _before.clear()
        _before.update(path.name for path in folder.iterdir())
        # Hydra makes the folders of a multirun's jobs unasked: one that is empty was made for its
        # job.
        if HydraConfig.get().mode == RunMode.MULTIRUN and not _before:
            _made[:] = [folder, *(path for path in _made if path in folder.parents)]


def refuse_log(path: Path) -> None:
    """Refuse a path for the log where there is a link, which could lead anywhere, or no file.

    Raises:
        SystemExit: something is in the way. Hydra would not let another exception through.
    """
    if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
        raise SystemExit(f"{path} is in the way: it is not a regular file.")


def expand_home(node: DictConfig) -> None:
    """Replace a `~` at the beginning of a folder's name by the user's home.

    Args:
        node: node of Hydra's configuration with the folder in `dir`, which is changed.
    """
    name = str(node.dir)
    if name.startswith("~"):
        with read_write(node):
            node.dir = os.path.expanduser(name)


def folder_of_job() -> Path:
    """Return the folder of Hydra's current job."""
    return Path(HydraConfig.get().runtime.output_dir)


def note_missing(folder: Path) -> None:
    """Note which folders will be made so that a folder is there.

    Raises:
        SystemExit: the folder cannot be made or written. Hydra would not let another exception
            through.
    """
    missing = []
    place = folder.absolute()
    while not os.path.lexists(place):
        missing.append(place)
        place = place.parent
    if not place.is_dir():
        raise SystemExit(f"{folder} cannot be the folder of a run: {place} is not a folder.")
    if not os.access(place, os.W_OK | os.X_OK):
        raise SystemExit(f"{folder} cannot be the folder of a run: {place} cannot be written.")
    _made[:] = missing


def discard() -> bool:
    """Remove what this process has made, and nothing else, unless a run has begun.

    Returns:
        Whether no run has begun.
    """
    folder = folder_of_job()
    if (folder / CONFIG_FILE).exists():
        return False
    if LOG_FILE not in _before:
        (folder / LOG_FILE).unlink(missing_ok=True)
    remove_made_folders()
    return True


def discard_sweep() -> None:
    """Remove the folder of a multirun that this process has made, if no run has begun in it."""
    for made in _made:
        record = made / "multirun.yaml"
        if record.is_file() and len(list(made.iterdir())) == 1:
            record.unlink()
    remove_made_folders()


def remove_made_folders() -> None:
    """Remove the folders that this process has made, as far as they are empty."""
    for made in _made:
        try:
            made.rmdir()
        except FileNotFoundError:
            continue
        except OSError:  # something is in it
            break
