"""The one training step, shared by every variant: the control of the comparison."""

import itertools
import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any, ClassVar

import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from reslag_vae._runtime import collectives
from reslag_vae._runtime.errors import NonFiniteError
from reslag_vae.data.images import Batch
from reslag_vae.evaluation.epoch import EvaluationEpoch, with_yardstick
from reslag_vae.latents.base import joined
from reslag_vae.models import GenerativeModel
from reslag_vae.models.card import objective_card, preset
from reslag_vae.models.generative import GROUPS, Group
from reslag_vae.models.terms import compute_terms
from reslag_vae.objectives import Objective, Terms
from reslag_vae.objectives.averages import Means
from reslag_vae.training.compiled import CompiledTerms
from reslag_vae.training.freezing import frozen
from reslag_vae.training.optimizers import AdamSettings, match_layout
from reslag_vae.training.requirements import check_requirements
from reslag_vae.training.schedules import Joint, Schedule, Update


class BaseVAE(LightningModule):
    """A model, an objective and a schedule, trained by manual optimization.

    Each parameter group has one Adam: "inference" is the encoder, "generative" the decoder and
    whatever else generates. A variant is a subclass that names what its parts must provide; it does
    not override the steps.

    Args:
        model: network, latents and likelihood.
        objective: what is minimised.
        schedule: which groups are updated, and when; None updates both at once.
        optimizer: of each group.

    Attributes:
        name: of the variant, as in `model=<name>` on the command line.
        title: of the variant, as the thesis calls it.
        requires: what its parts must provide.
        usual: the choice of `objective=` that the thesis gives it.
        images_seen: in training, the x axis of everything that is logged.
        evaluation: the latest one.

    Raises:
        ValueError: the parts do not go together, saying which choices do.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    requires: ClassVar[frozenset[str]] = frozenset()
    usual: ClassVar[str] = "sigma_data"
    train_mse: Tensor

    def __init__(
        self,
        model: GenerativeModel,
        objective: Objective,
        schedule: Schedule | None = None,
        optimizer: AdamSettings | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model, self.objective = model, objective
        self.schedule: Schedule = Joint() if schedule is None else schedule
        self.optimizer = AdamSettings() if optimizer is None else optimizer
        check_requirements(self)

        self.images_seen = 0
        self.stopped_because: str | None = None
        self.train_means = Means()
        self.evaluation = EvaluationEpoch(model, objective)
        self.fresh_batches: Iterator[Batch] | None = None
        self.compiled: CompiledTerms | None = None
        # The common yardstick's likelihood variance: mean squared error per pixel on the training
        # split.
        self.register_buffer("train_mse", torch.ones((), dtype=torch.float64))

    def parts(self) -> dict[str, Any]:
        """Return the parts by the command line's groups, as in `schedule=<name>`."""
        return self.model.parts() | {"objective": self.objective, "schedule": self.schedule}

    @property
    def preset(self) -> str:
        """The choice of `objective=` that gives the objective and the likelihood."""
        return preset(self.model, self.objective)

    @classmethod
    def titled(cls, preset: str) -> str:
        """Return the variant's title, with its objective if that is not the thesis'.

        Args:
            preset: the choice of `objective=`.
        """
        return cls.title if preset == cls.usual else f"{cls.title}, {preset}"

    def card(self) -> dict[str, str]:
        """Return the objective card, label -> text."""
        return objective_card(self.name, self.model, self.objective)

    def forward(self, images: Tensor) -> Tensor:
        """Return (B, C, H, W) reconstructions of (B, C, H, W) images."""
        return self.model.reconstruct(images)

    def terms(
        self,
        images: Tensor,
        noise: tuple[Tensor, ...] | None = None,
        prior: Tensor | None = None,
    ) -> Terms:
        """Return the objective's terms of a minibatch; see `compute_terms`."""
        return compute_terms(self.model, self.objective, images, noise, prior)[0]

    # Training

    def group(self, name: Group) -> list[nn.Module]:
        """Return the modules of a parameter group."""
        return self.model.groups()[name]

    def group_parameters(self, name: Group) -> list[nn.Parameter]:
        """Return the parameters of a group."""
        return [parameter for module in self.group(name) for parameter in module.parameters()]

    def metric_names(self) -> list[str]:
        """Return the names of what an evaluation of this model yields.

        They are found by evaluating two black images; nothing of the model changes.
        """
        training = self.training
        self.eval()
        shape = (2, *self.model.image_shape)
        images = torch.zeros(shape, dtype=torch.uint8, device=self.train_mse.device)
        epoch = EvaluationEpoch(self.model, self.objective)
        epoch.add(Batch(images, torch.full((2,), -1)))
        self.train(training)
        return list(epoch.metrics(1.0))

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LRScheduler]]:
        optimizers = [self.optimizer.build(self.group_parameters(name)) for name in GROUPS]
        plateau = self.optimizer.plateau
        if plateau is None:
            return list(optimizers), []
        return list(optimizers), [plateau.build(optimizer) for optimizer in optimizers]

    def learning_rates(self) -> dict[str, float]:
        """Return the learning rate of each group, now."""
        return {
            name: optimizer.param_groups[0]["lr"]
            for name, optimizer in zip(GROUPS, self.optimizers(), strict=True)
        }

    def setup(self, stage: str) -> None:
        if stage == "fit":
            self.schedule.check_length(self.trainer.max_epochs)

    def compile_updates(self) -> None:
        """Have `fit` compile the forward and backward pass of each kind of update (torch.compile)."""
        self.compiled = CompiledTerms(self.terms)

    def on_train_start(self) -> None:
        # What the sanity check took in of the untrained model is no result.
        self.evaluation = EvaluationEpoch(self.model, self.objective)
        if self.compiled is not None:
            self.compiled.begin(self.device)
        for optimizer in self.trainer.optimizers:
            match_layout(optimizer)

    def on_train_epoch_start(self) -> None:
        self.objective.begin_epoch(self.current_epoch)
        self.schedule.begin_epoch(self.current_epoch)
        self.train_means, self.fresh_batches = Means(), None

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        updates = self.schedule.updates()
        update: Update | None = next(updates)
        while update is not None:
            terms = self._update(self._batch_of(update, batch), update)
            try:
                update = updates.send(terms.loss.detach())
            except StopIteration:
                update = None
        # The last update moves the generative group under every schedule: its terms are the step's.
        self.model.likelihood.observe(terms.extras)
        self.train_means.add(terms)
        self.images_seen += len(batch.images) * self.trainer.world_size
        result = {"loss": terms.loss.detach().mean()}
        if "sigma2" in terms.extras:
            result["sigma2"] = terms.extras["sigma2"].detach().clone()
        return result

    def _batch_of(self, update: Update, batch: Batch) -> Batch:
        """Return the step's own minibatch, or for an update that takes a fresh one the next other."""
        if not update.fresh:
            return batch
        if self.fresh_batches is None:
            # Each pass over the loader within an epoch is another permutation.
            loader: Iterable[Batch] = self.trainer.train_dataloader or ()
            self.fresh_batches = itertools.chain.from_iterable(
                iter(loader) for _ in itertools.count()
            )
        moved: Batch = self.transfer_batch_to_device(next(self.fresh_batches), self.device, 0)
        return moved

    def _update(self, batch: Batch, update: Update) -> Terms:
        """Make one forward, one backward and one optimizer step of the groups in `update`.

        The other groups are frozen.
        """
        optimizers = dict(zip(GROUPS, self.optimizers(), strict=True))
        # All of them, before the forward pass: it may use their memory, and no tensor of a CUDA
        # graph may outlive it.
        for optimizer in optimizers.values():
            optimizer.zero_grad()
        with ExitStack() as still:
            for name in GROUPS:
                if name not in update.groups:
                    still.enter_context(frozen(*self.group(name)))
            terms = (self.compiled or self.terms)(batch.images, *self._draw(batch.images))
            self.manual_backward(terms.loss.mean())
        for name in update.groups:
            parameters = self.group_parameters(name)
            collectives.average_gradients(parameters)
            if self.optimizer.clip_norm is not None:
                # Lightning's own refuses a fused optimizer under bf16-mixed.
                nn.utils.clip_grad_norm_(parameters, self.optimizer.clip_norm, foreach=True)
            optimizers[name].step()
        return terms

    def _draw(self, images: Tensor) -> tuple[tuple[Tensor, ...] | None, Tensor | None]:
        """Draw the numbers that one process would draw for the B images of all processes.

        Args:
            images: the b of them that are here.

        Returns:
            (b, d_l) noise of each level's samples; None where the posteriors are points.
            (B, d) samples of the prior; None where the objective draws none.
        """
        count = len(images) * collectives.count()
        dtype = images.dtype if images.is_floating_point() else torch.float32
        noise = None
        if not self.model.deterministic:
            noise = tuple(
                collectives.own_part(torch.randn(count, width, dtype=dtype, device=images.device))
                for width in self.model.level_dims
            )
        prior = None
        if self.objective.draws_prior:
            prior = joined(self.model.sample_latents(count)).to(dtype)
        return noise, prior

    def on_train_epoch_end(self) -> None:
        means = self.train_means.gathered()
        self._log("train", self._with_yardstick(means), means)
        self._step_schedulers()
        self.schedule.end_epoch(self.current_epoch, self.trainer.callback_metrics)

    def _with_yardstick(self, means: Means) -> dict[str, float]:
        return with_yardstick(means.read(), self.model, self.objective, float(self.train_mse))

    def _step_schedulers(self) -> None:
        """Lightning steps no scheduler under manual optimization."""
        plateau, loss = self.optimizer.plateau, self.trainer.callback_metrics.get("val/loss")
        if plateau is None or loss is None:
            return
        schedulers = self.lr_schedulers()
        assert isinstance(schedulers, list), "one for each group"
        for scheduler in schedulers:
            assert isinstance(scheduler, ReduceLROnPlateau)
            scheduler.step(loss)
        lr = self.learning_rates()["inference"]
        if lr < plateau.stop_below:
            self.stopped_because = f"learning rate {lr:.2g} fell below {plateau.stop_below:.2g}"
            self.trainer.should_stop = True

    # Evaluation, by all processes in turns

    def on_validation_epoch_start(self) -> None:
        if self.train_means.count:
            means = self.train_means.gathered()
            self._refuse_non_finite("train", means.read(), means)
            self.train_mse.fill_(means.read()["rec"] / self.model.dimensions)
        self.evaluation = EvaluationEpoch(self.model, self.objective)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate_share(batch, batch_idx, self.trainer.val_dataloaders)

    def _evaluate_share(self, batch: Batch, batch_idx: int, loader: Any) -> None:
        """Take in a minibatch; the processes take turns."""
        others = collectives.rank() if batch_idx == 0 else collectives.count() - 1
        if others:
            self.evaluation.skip(others * loader.sampler.batch_size)
        if len(batch.images):
            self.evaluation.add(batch)

    def on_validation_epoch_end(self) -> None:
        self._end_evaluation("val")

    def on_test_epoch_start(self) -> None:
        self.evaluation = EvaluationEpoch(self.model, self.objective)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate_share(batch, batch_idx, self.trainer.test_dataloaders)

    def on_test_epoch_end(self) -> None:
        self._end_evaluation("test")

    def _end_evaluation(self, split: str) -> None:
        self.evaluation = self.evaluation.gathered()
        metrics = self.evaluation.metrics(float(self.train_mse))
        self._log(split, metrics, self.evaluation.means)

    def _log(self, split: str, metrics: dict[str, float], means: Means) -> None:
        """Log beside images_seen, the x axis: Lightning's steps count those of every optimizer."""
        self._refuse_non_finite(split, metrics, means)
        self.log_dict({f"{split}/{name}": value for name, value in metrics.items()})
        self.log("images_seen", float(self.images_seen))

    def _refuse_non_finite(self, split: str, metrics: dict[str, float], means: Means) -> None:
        """End the run where a metric, of these means, is not finite.

        Raises:
            NonFiniteError: naming it. No checkpoint of the epoch has been written then.
        """
        broken = [name for name, value in metrics.items() if not math.isfinite(value)]
        if broken and not self.trainer.sanity_checking:
            minibatch = means.first_non_finite()
            where = f"Epoch {self.current_epoch + 1}"
            if minibatch:
                where = f"{where}, minibatch {minibatch}"
            kept = " The checkpoints of the epochs before are kept." if self.current_epoch else ""
            raise NonFiniteError(
                f"{where}: {split} {', '.join(broken)} not finite.{kept} A smaller optimizer.lr or "
                "an optimizer.clip_norm may help."
            )

    # Checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["progress"] = {
            "images_seen": self.images_seen,
            "stopped_because": self.stopped_because,
            "schedule": self.schedule.state_dict(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        progress = checkpoint["progress"]
        self.images_seen = progress["images_seen"]
        self.stopped_because = progress["stopped_because"]
        self.schedule.load_state_dict(progress["schedule"])
        if self.stopped_because is not None:
            self.trainer.should_stop = True
