"""The Lightning plugin that reads and writes checkpoints."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO

from reslag_vae._runtime.files import write_atomically
from reslag_vae.runs.checkpoints import read_checkpoint


class WholeCheckpoints(TorchCheckpointIO):
    """A Lightning plugin that writes checkpoints whole or not at all.

    It reads those of earlier versions in today's form. Lightning's own plugin writes a checkpoint
    to the system's folder for temporary files, which may be small, and copies it from there to a
    run's folder on another disk: a kill or a full disk leaves half a file.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint of plain containers and tensors to a file.

        Raises:
            WriteError: the file cannot be written. Nothing is left of it.
        """
        content = io.BytesIO()
        torch.save(checkpoint, content)
        write_atomically(Path(path), content.getbuffer())

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Return the checkpoint in a file, in the form of today's version.

        Raises:
            RunError: the file is damaged, or of a later version.
        """
        return read_checkpoint(Path(path))
