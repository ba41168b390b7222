"""When Lightning has a model evaluated, and what is logged."""

import math
from typing import Any

from lightning import LightningModule

from reslag_vae._runtime import collectives
from reslag_vae._runtime.errors import NonFiniteError
from reslag_vae.models.evaluated_model import EvaluatedModel
from reslag_vae.objectives.averages import Means
from reslag_vae.records import Batch


class EvaluationHooks(EvaluatedModel, LightningModule):
    """Validation and test of a model that is trained, by all processes in turns, and the end of a run that diverges.

    Attributes:
        train_means: of the terms of the epoch's training minibatches.
        images_seen: in training, the x axis of everything that is logged.
    """

    train_means: Means
    images_seen: int

    def on_validation_epoch_start(self) -> None:
        if self.train_means.count:
            means = self.train_means.of_all()
            self._refuse_broken("train", means.read(), means)
            self.train_mse.fill_(means.read()["rec"] / self.dimensions)
        self.begin_evaluation()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate_share(batch, batch_idx, self.trainer.val_dataloaders)

    def _evaluate_share(self, batch: Batch, batch_idx: int, loader: Any) -> None:
        """Take in a minibatch; the processes take turns."""
        others = collectives.rank() if batch_idx == 0 else collectives.count() - 1
        if others:
            self.pass_over(others * loader.sampler.batch_size)
        if len(batch.images):
            self.evaluate_batch(batch)

    def on_validation_epoch_end(self) -> None:
        self.share_evaluation()
        self._log("val", self.end_evaluation(), self.evaluation_means)

    def on_test_epoch_start(self) -> None:
        self.begin_evaluation()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate_share(batch, batch_idx, self.trainer.test_dataloaders)

    def on_test_epoch_end(self) -> None:
        self.share_evaluation()
        self._log("test", self.end_evaluation(), self.evaluation_means)

    def _log(self, split: str, metrics: dict[str, float], means: Means) -> None:
        """Beside images_seen, the x axis: Lightning's own steps count those of every optimizer."""
        self._refuse_broken(split, metrics, means)
        self.log_dict({f"{split}/{name}": value for name, value in metrics.items()})
        self.log("images_seen", float(self.images_seen))

    def _refuse_broken(self, split: str, metrics: dict[str, float], means: Means) -> None:
        """End the run where a metric, of these means, is not finite.

        Raises:
            NonFiniteError: naming it. No checkpoint of the epoch has been written then.
        """
        broken = [name for name, value in metrics.items() if not math.isfinite(value)]
        if broken and not self.trainer.sanity_checking:
            minibatch = means.first_broken()
            where = f"Epoch {self.current_epoch + 1}" + (
                f", minibatch {minibatch}" if minibatch else ""
            )
            kept = " The checkpoints of the epochs before are kept." if self.current_epoch else ""
            raise NonFiniteError(
                f"{where}: {split} {', '.join(broken)} not finite.{kept} A smaller optimizer.lr or an "
                "optimizer.clip_norm may help."
            )
