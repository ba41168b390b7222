"""The callback that tracks a table of codes."""

import torch
from lightning import Trainer
from lightning.pytorch.callbacks import Callback

from reslag_vae.data import ImageDataModule
from reslag_vae.evaluation.iteration import given_chunks
from reslag_vae.options import require
from reslag_vae.runs.tracking import trackers
from reslag_vae.training.system import BaseVAE

TABLE = "codes"
MOST_DIMENSIONS = 256


class CodeTable(Callback):
    """A callback that tracks the codes of validation images once, those of the best epoch.

    A dashboard that takes tables, such as W&B's, shows them as points beside their images.

    Args:
        count: number of images, evenly spaced over the split.

    Raises:
        ValueError: the argument is out of its range.
    """

    def __init__(self, count: int = 200) -> None:
        require("callbacks.codes.count", count)
        self.count = count

    @torch.no_grad()
    def draw(self, trainer: Trainer, model: BaseVAE) -> None:
        """Log image, class and the posterior mean's first 256 numbers of each image."""
        found = trackers(trainer.loggers)
        data = getattr(trainer, "datamodule", None)
        if not found or not model.model.latent_dim or not isinstance(data, ImageDataModule):
            return
        part = data.split("val").evenly_spaced(self.count)
        model.eval()
        images = part.images
        codes = torch.cat(
            [
                own.encode(batch)[:, :MOST_DIMENSIONS].cpu()
                for own, batch in given_chunks(model.model, part, data.batch_size)
            ]
        )
        pictures = images.permute(0, 2, 3, 1).squeeze(-1).cpu().numpy()
        names, rows = data.class_names, []
        for picture, label, code in zip(pictures, part.labels.tolist(), codes, strict=True):
            name = names[label] if names and label >= 0 else ""
            rows.append([picture, name, *code.tolist()])
        columns = ["image", "class", *(f"z{j + 1}" for j in range(codes.shape[1]))]
        for tracker in found:
            tracker.show_table(TABLE, columns, rows)
