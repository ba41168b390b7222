"""The callback that draws reconstructions and samples of the prior during training."""

from pathlib import Path

import torch
from lightning import Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from reslag_vae.data.images import Batch, as_batch
from reslag_vae.evaluation.pictures.figures import image_grid, save_figure
from reslag_vae.likelihoods.pixels import unit_interval
from reslag_vae.options import require
from reslag_vae.runs.folder import FIGURES, figure_file
from reslag_vae.runs.tracking import SteadyLogger
from reslag_vae.training.system import BaseVAE

LATENT_SEED = 0


class ImageGrids(Callback):
    """A callback that draws reconstructions and samples of the prior, and logs them to W&B.

    They are `figures/reconstructions.png` and `figures/prior_samples.png`.

    Each new picture replaces the earlier one. The images are the first of the validation split and
    the latents are drawn from a fixed seed, so pictures of different epochs, models and runs can be
    compared.

    Args:
        count: number of images in each picture.
        every: number of epochs between pictures. After training the best epoch is drawn.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(self, count: int = 16, every: int = 1) -> None:
        require("callbacks.images.count", count)
        require("callbacks.images.every", every)
        self.count, self.every = count, every
        self.originals: Tensor | None = None

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        """Forget the images of the epoch before."""
        self.originals = None

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: BaseVAE, outputs: object, batch: Batch, batch_idx: int
    ) -> None:
        """Keep the first images of the validation split."""
        if trainer.sanity_checking:
            return
        held = 0 if self.originals is None else len(self.originals)
        if held < self.count:
            more = unit_interval(as_batch(batch).images[: self.count - held])
            self.originals = more if self.originals is None else torch.cat([self.originals, more])

    def on_train_epoch_end(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        """Draw the pictures if the epoch is one of those that have them."""
        if trainer.is_global_zero and trainer.current_epoch % self.every == 0:
            self.draw(trainer, pl_module, trainer.current_epoch + 1)

    def draw(self, trainer: Trainer, model: BaseVAE, epoch: int) -> None:
        """Replace the pictures by those of the present model, at the end of `epoch` (from 1)."""
        if self.originals is None:
            return
        for name, rows in picture_rows(model, self.originals.to(model.device)).items():
            path = figure_path(trainer, name)
            save_figure(
                image_grid(rows, f"{name.replace('_', ' ')}: {model.name}, epoch {epoch}"), path
            )
            log_picture(trainer, name, path, model.images_seen)


def figure_path(trainer: Trainer, name: str) -> Path:
    """Return the path of a run's picture.

    Args:
        trainer: trainer of the run.
        name: name of the picture, without its suffix.
    """
    return figure_file(Path(trainer.default_root_dir), name)


@torch.no_grad()
def picture_rows(model: BaseVAE, originals: Tensor) -> dict[str, list[tuple[str, Tensor]]]:
    """Return pictures by name, each as rows of (label, (N, C, H, W) images)."""
    training = model.training
    model.eval()
    try:
        samples = model.model.sample(len(originals), torch.Generator().manual_seed(LATENT_SEED))
        reconstructions = model.model.reconstruct(originals)
    finally:
        model.train(training)
    pictures = {}
    if model.model.latent_dim:
        label = "posterior mean" if model.model.likelihood.has_mean else "sample given its mean"
        pictures["reconstructions"] = [("original", originals), (label, reconstructions)]
    return pictures | {"prior_samples": [("prior sample", samples)]}


def log_picture(trainer: Trainer, name: str, path: Path, images_seen: int) -> None:
    """Show a picture file in the run's W&B dashboard, if it has one."""
    for logger in trainer.loggers:
        if isinstance(logger, SteadyLogger):
            logger.log_pictures({f"{FIGURES}/{name}": path}, images_seen=images_seen)
