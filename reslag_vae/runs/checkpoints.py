"""The checkpoints of a run: where they are, and how to read them with distrust."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

from reslag_vae._runtime.errors import first_line
from reslag_vae.runs.config import is_final
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import (
    MODEL_FILE,
    WEIGHTS_FILE,
    checkpoint_file,
    is_finished,
    read_metrics,
    refuse_folder_of_runs,
)
from reslag_vae.runs.migrations import current_checkpoint


def checkpoint_path(folder: Path, which: str) -> Path:
    """Return the path of a run's checkpoint.

    Args:
        folder: folder of the run.
        which: `best` or `last`.

    Raises:
        RunError: the checkpoint is missing.
    """
    path = checkpoint_file(folder, which)
    if path.is_file():
        return path
    previous = checkpoint_file(folder, "previous")
    if which == "last" and previous.is_file():
        raise RunError(
            f"{path} is not there, but {previous.name} of the epoch before is: give that file, or "
            "go on with the run."
        )
    if (folder / MODEL_FILE).is_file():
        raise RunError(
            f"{folder} is an export that was interrupted, without {WEIGHTS_FILE}: export the run "
            "again."
        )
    refuse_folder_of_runs(folder)
    raise RunError(
        f"{path} is not there: the run has not finished its first epoch, or is not a run's folder."
    )


def checkpoint_to_resume(folder: Path) -> Path | None:
    """Return the newest checkpoint of a run; None if it was interrupted in its first epoch.

    Raises:
        RunError: the checkpoint is damaged, or gone though the run had one; the message says
            whether another one can take its place.
    """
    last, previous = checkpoint_file(folder, "last"), checkpoint_file(folder, "previous")
    if not last.exists():
        # A kill may have come between the two steps by which one takes the place of the other.
        last = previous
    if not last.exists():
        refuse_lost(folder)
        return None
    try:
        read_checkpoint(last)
    except RunError as error:
        if last == previous or not previous.exists():
            raise
        try:
            epoch = epoch_of(read_checkpoint(previous), previous)
        except RunError:
            raise error from None
        raise RunError(
            f"{error}. {previous.name}, of epoch {epoch}, is whole: remove {last.name}, and the "
            "run goes on from there."
        ) from None
    return last


def refuse_lost(folder: Path) -> None:
    """Refuse to resume a run that has finished an epoch but has no checkpoint any more.

    It would start again from the first epoch.

    Raises:
        RunError: the message names what is gone.
    """
    # A kill in the first epoch's end leaves a row of metrics, and perhaps the best checkpoint.
    if is_finished(folder) or len(read_metrics(folder)) > 1:
        raise RunError(
            f"{checkpoint_file(folder, 'last')} and previous.ckpt are gone, and without one of "
            "them the run cannot go on: put it back, or train anew in another folder."
        )


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint as plain containers and tensors on the CPU, in today's form.

    No code in it is ever run.

    Raises:
        RunError: the file is damaged, or of a later version.
    """
    import torch

    try:
        # PyTorch compares no checksums, and inflates what it did not deflate.
        with zipfile.ZipFile(path) as archive:
            if sum(part.file_size for part in archive.infolist()) > path.stat().st_size:
                raise ValueError("it would grow when it is read, which PyTorch's own do not")
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"the checksum of {damaged} in it is another")
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes fail anywhere in the reader, with any exception
        # PyTorch advises to load it all the same, with whatever code it may hold: not passed on.
        unsafe = isinstance(error, pickle.UnpicklingError)
        reason = "not plain tensors and containers" if unsafe else first_line(error)
        if isinstance(error, zipfile.BadZipFile):
            reason = "it is cut short, or a file of another kind"
        raise RunError(f"{path} is damaged or no checkpoint: {reason}") from None
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise RunError(f"{path} is not a checkpoint: it holds no state_dict.")
    # What could grow without end is not looked into: no model is built of it either.
    if not is_final(checkpoint.get("hyper_parameters")):
        return checkpoint
    return current_checkpoint(checkpoint, path)


def epoch_of(checkpoint: dict[str, Any], path: Path) -> int:
    """Return the epoch at whose end a checkpoint was written, counted from 1.

    Raises:
        RunError: the checkpoint does not say.
    """
    epoch = checkpoint.get("epoch")
    if type(epoch) is not int or epoch < 0:
        raise RunError(
            f"{path} is not a checkpoint of this package: it does not say of which epoch it is."
        )
    return epoch + 1
