"""The callback that draws reconstructions and samples of the prior during training."""

from pathlib import Path

import torch
from lightning import Trainer
from torch import Tensor

from reslag_vae.data import ImageDataModule
from reslag_vae.data.images import Batch, as_batch
from reslag_vae.evaluation.pictures.figures import image_grid, save_figure
from reslag_vae.evaluation.pictures.trained import reconstruction_rows, sample_rows
from reslag_vae.likelihoods.pixels import eight_bits, unit_interval
from reslag_vae.models.terms import told_labels
from reslag_vae.options import require
from reslag_vae.runs.folder import drawn_images_file, figure_file
from reslag_vae.runs.formats import write_arrays
from reslag_vae.runs.tracking import log_picture
from reslag_vae.training.callbacks.pace import Drawing
from reslag_vae.training.system import BaseVAE


class ImageGrids(Drawing):
    """A callback that draws reconstructions and samples of the prior, and tracks them.

    They are `figures/reconstructions.png` and `figures/prior_samples.png`; their images are in
    `figures/images.npz`.

    Each new picture replaces the earlier one. The images are the first of the validation split and
    the latents are drawn from a fixed seed, so pictures of different epochs, models and runs can be
    compared.

    Args:
        count: number of images in each picture.
        every: number of epochs between pictures, at least; drawing takes a small share of the time.
            After training the best epoch is drawn.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(self, count: int = 16, every: int = 1) -> None:
        require("callbacks.images.count", count)
        require("callbacks.images.every", every)
        super().__init__()
        self.count, self.every = count, every
        self.originals: Batch | None = None

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        """Forget the images of the epoch before."""
        self.originals = None

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: BaseVAE, outputs: object, batch: Batch, batch_idx: int
    ) -> None:
        """Keep the first images of the validation split."""
        if trainer.sanity_checking:
            return
        held = [] if self.originals is None else [self.originals]
        missing = self.count - sum(len(own.images) for own in held)
        if missing > 0:
            more = as_batch(batch).split(missing)[0]
            parts = zip(*held, more._replace(images=unit_interval(more.images)), strict=True)
            self.originals = Batch(*(torch.cat(own) for own in parts))

    def take(self, data: ImageDataModule) -> None:
        """Take the first images of the validation split from the data, whatever was validated."""
        first = as_batch(next(iter(data.in_order("val", self.count))))
        self.originals = first._replace(images=unit_interval(first.images))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        """Draw the pictures if the epoch is one of those that have them."""
        wanted = trainer.current_epoch % self.every == 0
        if trainer.is_global_zero and wanted and self.pace.due:
            with self.pace.drawing():
                self.draw(trainer, pl_module, trainer.current_epoch + 1)

    def draw(self, trainer: Trainer, model: BaseVAE, epoch: int) -> None:
        """Replace the pictures by those of the present model, at the end of `epoch` (from 1)."""
        if self.originals is None:
            return
        folder = Path(trainer.default_root_dir)
        images = {"originals": eight_bits(self.originals.images).cpu().numpy()}
        for name, rows in picture_rows(model, self.originals).items():
            path = figure_file(folder, name)
            title = f"{name.replace('_', ' ')}: {model.titled(model.preset)}, epoch {epoch}"
            save_figure(image_grid(rows, title), path)
            log_picture(trainer.loggers, name, path, model.images_seen)
            images[name] = eight_bits(rows[-1][1]).cpu().numpy()
        write_arrays(drawn_images_file(folder), images)


@torch.no_grad()
def picture_rows(model: BaseVAE, originals: Batch) -> dict[str, list[tuple[str, Tensor]]]:
    """Return pictures by name, each as rows of (label, (N, C, H, W) images).

    Samples of a conditional model are of the classes or attributes of the originals.
    """
    training = model.training
    model.eval()
    try:
        pictures, images = {}, originals.images.to(model.device)
        given = told_labels(model.model, originals.labels.to(model.device))
        if given.latent_dim:
            pictures["reconstructions"] = reconstruction_rows(given, images)
        return pictures | {"prior_samples": sample_rows(given, len(images))}
    finally:
        model.train(training)
