"""The LightningModule of every variant, with the one training step that all of them share."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, ClassVar

import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from reslag_vae.data.images import Batch, as_batch
from reslag_vae.evaluation.epoch import EvaluationEpoch, with_yardstick
from reslag_vae.models import GenerativeModel
from reslag_vae.models.card import objective_card, preset
from reslag_vae.models.generative import GROUPS, Group
from reslag_vae.models.terms import compute_terms
from reslag_vae.networks import Network
from reslag_vae.objectives import Objective, Terms
from reslag_vae.objectives.averages import Means
from reslag_vae.runs.describe import system_node
from reslag_vae.runs.migrations import SCHEMA
from reslag_vae.training import defaults
from reslag_vae.training.compiled import CompiledTerms
from reslag_vae.training.distributed_evaluation import add_in_turn
from reslag_vae.training.divergence import refuse_non_finite
from reslag_vae.training.freezing import frozen
from reslag_vae.training.fresh_batches import endless
from reslag_vae.training.group_steps import GroupSteps
from reslag_vae.training.noise import draw_noise
from reslag_vae.training.optimizers import AdamSettings, match_layout
from reslag_vae.training.requirements import check_requirements
from reslag_vae.training.schedules import Joint, Lagging, Schedule, Update
from reslag_vae.training.starting import start_from_data


class BaseVAE(LightningModule):
    """A model, an objective and a schedule, trained by manual optimization.

    Each parameter group has an Adam of its own: "inference" is the encoder, "generative" the
    decoder and everything else that generates. A variant is a subclass that names what its parts
    must provide; it does not override the steps, and so all variants are trained alike.

    Args:
        model: network, latents and likelihood; or a network alone, of which the usual model is
            made.
        objective: objective that is minimised; None takes the usual one.
        schedule: rule that says which groups are updated, and when; None updates both at once, but
            for a variant of lagging updates.
        optimizer: settings of each group's Adam; None takes the defaults.

    Attributes:
        name: name of the variant, as in `model=<name>` on the command line.
        title: name of the variant in the thesis.
        requires: capabilities that the parts must provide.
        provides: capabilities that the parts may require.
        usual: choice of `objective=` that the thesis makes for the variant.
        images_seen: number of images seen in training, the x axis of everything that is logged.
        stopped_because: reason why training has ended by itself, in words; None if it has not.
        train_means: running means of the training epoch's terms.
        train_mse: () float64 mean squared error per pixel on the training split, which is the
            likelihood variance of the common yardstick.
        evaluation: latest evaluation.

    Raises:
        ValueError: the parts do not go together. The message names the choices that do.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    requires: ClassVar[frozenset[str]] = frozenset()
    provides: ClassVar[frozenset[str]] = frozenset()
    usual: ClassVar[str] = "sigma_data"
    train_mse: Tensor

    def __init__(
        self,
        model: GenerativeModel | Network,
        objective: Objective | None = None,
        schedule: Schedule | None = None,
        optimizer: AdamSettings | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        if isinstance(model, Network):
            model = defaults.usual_model(model, self.usual)
        objective = defaults.usual_objective(self.usual) if objective is None else objective
        self.model, self.objective = model, objective
        usual = Lagging() if "lagging" in self.requires else Joint()
        self.schedule: Schedule = usual if schedule is None else schedule
        self.optimizer = AdamSettings() if optimizer is None else optimizer
        self.steps = GroupSteps(self.optimizer)
        check_requirements(self)

        self.images_seen = 0
        self.stopped_because: str | None = None
        self.train_means = Means()
        self.evaluation = EvaluationEpoch(model, objective)
        self.fresh_batches: Iterator[Batch] | None = None
        self.compiled: CompiledTerms | None = None
        self.register_buffer("train_mse", torch.ones((), dtype=torch.float64))

    def parts(self) -> dict[str, Any]:
        """Return the parts by their groups on the command line, as in `schedule=<name>`."""
        return self.model.parts() | {"objective": self.objective, "schedule": self.schedule}

    @property
    def preset(self) -> str:
        """The choice of `objective=` that makes this objective and likelihood."""
        return preset(self.model, self.objective)

    @classmethod
    def titled(cls, preset: str) -> str:
        """Return the variant's title, followed by its objective if that is not the thesis' choice.

        Args:
            preset: choice of `objective=`.
        """
        return cls.title if preset == cls.usual else f"{cls.title}, {preset}"

    def card(self) -> dict[str, str]:
        """Return the objective card: what is minimised and in which units, as text by label."""
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
        """Return the objective's terms of a minibatch.

        Args:
            images: (B, C, H, W) images.
            noise: (B, d_l) noise of each level's samples; drawn if None.
            prior: (B, d) samples of the prior, for an objective that needs them.
        """
        return compute_terms(self.model, self.objective, images, noise, prior)[0]

    # Training

    def group(self, name: Group) -> list[nn.Module]:
        """Return the modules of a parameter group."""
        return self.model.groups()[name]

    def group_parameters(self, name: Group) -> list[nn.Parameter]:
        """Return the parameters of a group."""
        return [parameter for module in self.group(name) for parameter in module.parameters()]

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LRScheduler]]:
        optimizers = [self.optimizer.build(self.group_parameters(name)) for name in GROUPS]
        plateau = self.optimizer.plateau
        if plateau is None:
            return list(optimizers), []
        return list(optimizers), [plateau.build(optimizer) for optimizer in optimizers]

    def learning_rates(self) -> dict[str, float]:
        """Return the current learning rate of each group."""
        return {
            name: optimizer.param_groups[0]["lr"]
            for name, optimizer in zip(GROUPS, self.optimizers(), strict=True)
        }

    def setup(self, stage: str) -> None:
        if stage == "fit":
            self.schedule.check_length(self.trainer.max_epochs)

    def compile_updates(self) -> None:
        """Let `fit` compile forward and backward pass of each kind of update (torch.compile)."""
        self.compiled = CompiledTerms(self.terms)

    def on_train_start(self) -> None:
        # What the sanity check took in of the untrained model is no result.
        self.evaluation = EvaluationEpoch(self.model, self.objective)
        if self.compiled is not None:
            self.compiled.begin(self.device)
        for optimizer in self.trainer.optimizers:
            match_layout(optimizer)
        if not self.images_seen:
            start_from_data(self)

    def on_train_epoch_start(self) -> None:
        self.objective.begin_epoch(self.current_epoch)
        self.schedule.begin_epoch(self.current_epoch)
        self.steps.begin_epoch()
        self.train_means, self.fresh_batches = Means(), None

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Make the updates of the schedule's step, and return the loss of the last one.

        Returns:
            `loss`, and `sigma2` if the likelihood has a variance.
        """
        batch = as_batch(batch)
        updates = self.schedule.updates()
        update: Update | None = next(updates)
        while update is not None:
            terms = self._update(self._batch_of(update, batch), update)
            try:
                update = updates.send(terms.loss.detach())
            except StopIteration:
                update = None
        # The last update moves the generative group under every schedule: its terms are the step's.
        if self.model.likelihood.training:
            self.model.likelihood.observe(terms.extras)
        self.train_means.add(terms)
        self.images_seen += len(batch.images) * self.trainer.world_size
        result = {"loss": terms.loss.detach().mean()}
        if "sigma2" in terms.extras:
            result["sigma2"] = terms.extras["sigma2"].detach().clone()
        return result

    def _batch_of(self, update: Update, batch: Batch) -> Batch:
        """Return the minibatch of an update: the step's own, or the next fresh one."""
        if not update.fresh:
            return batch
        if self.fresh_batches is None:
            loader: Iterable[Batch] = self.trainer.train_dataloader or ()
            self.fresh_batches = endless(loader)
        moved = self.transfer_batch_to_device(next(self.fresh_batches), self.device, 0)
        return as_batch(moved)

    def _update(self, batch: Batch, update: Update) -> Terms:
        """Make one forward pass, one backward pass and a step of each group in the update.

        The other groups are frozen.
        """
        optimizers = dict(zip(GROUPS, self.optimizers(), strict=True))
        # All of them, before the forward pass: it may use their memory, and no tensor of a CUDA
        # graph may outlive it.
        for optimizer in optimizers.values():
            optimizer.zero_grad()
        still: list[nn.Module] = []
        for name in GROUPS:
            if name not in update.groups:
                still += self.group(name)
        with frozen(*still):
            noise, prior = draw_noise(self.model, self.objective, batch.images)
            terms = (self.compiled or self.terms)(batch.images, noise, prior)
            self.manual_backward(terms.loss.mean())
        for name in update.groups:
            self.steps.take(name, optimizers[name], self.group_parameters(name))
        self.model.end_update(update.groups)
        return terms

    def on_train_epoch_end(self) -> None:
        means = self.train_means.gathered()
        mse = float(self.train_mse)
        metrics = with_yardstick(means.read(), self.model, self.objective, mse)
        self._log("train", metrics | self.steps.end_epoch(self.trainer), means)
        self._step_schedulers()
        self.schedule.end_epoch(self.current_epoch, self.trainer.callback_metrics)

    def _step_schedulers(self) -> None:
        """Step the learning rates' schedulers, which Lightning leaves to manual optimization."""
        plateau, loss = self.optimizer.plateau, self.trainer.callback_metrics.get("val/loss")
        if plateau is None or loss is None:
            return
        schedulers = self.lr_schedulers()
        assert isinstance(schedulers, list), "one for each group"
        for scheduler in schedulers:
            assert isinstance(scheduler, ReduceLROnPlateau)
            scheduler.step(loss)
        reason = plateau.reason_to_stop(self.learning_rates()["inference"])
        if reason is not None:
            self.stopped_because = reason
            self.trainer.should_stop = True

    # Evaluation

    def on_validation_epoch_start(self) -> None:
        if self.train_means.count:
            means = self.train_means.gathered()
            metrics = means.read()
            refuse_non_finite(self.trainer, "train", metrics, means)
            self.train_mse.fill_(metrics["rec"] / self.model.dimensions)
        self.evaluation = EvaluationEpoch(self.model, self.objective)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        add_in_turn(self.evaluation, as_batch(batch), batch_idx, self.trainer.val_dataloaders)

    def on_validation_epoch_end(self) -> None:
        self._end_evaluation("val")

    def on_test_epoch_start(self) -> None:
        self.evaluation = EvaluationEpoch(self.model, self.objective)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        add_in_turn(self.evaluation, as_batch(batch), batch_idx, self.trainer.test_dataloaders)

    def on_test_epoch_end(self) -> None:
        self._end_evaluation("test")

    def _end_evaluation(self, split: str) -> None:
        """Join the evaluations of all processes, and log the metrics."""
        self.evaluation = self.evaluation.gathered()
        metrics = self.evaluation.metrics(float(self.train_mse))
        self._log(split, metrics, self.evaluation.means)

    def _log(self, split: str, metrics: dict[str, float], means: Means) -> None:
        """Log the metrics of a split, beside the number of images seen.

        That is the x axis: Lightning's steps count those of every optimizer.
        """
        refuse_non_finite(self.trainer, split, metrics, means)
        self.log_dict({f"{split}/{name}": value for name, value in metrics.items()})
        self.log("images_seen", float(self.images_seen))

    # Checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if "model" not in checkpoint.get("hyper_parameters", {}):
            with suppress(ValueError):  # made of what files cannot hold
                described = {"schema": SCHEMA, "model": system_node(self)}
                checkpoint["hyper_parameters"] = described
        checkpoint["progress"] = {
            "images_seen": self.images_seen,
            "stopped_because": self.stopped_because,
            "schedule": self.schedule.state_dict(),
            "gradient_norms": self.steps.state_dict(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        progress = checkpoint["progress"]
        self.images_seen = progress["images_seen"]
        self.stopped_because = progress["stopped_because"]
        self.schedule.load_state_dict(progress["schedule"])
        self.steps.load_state_dict(progress.get("gradient_norms", {}))  # younger than schema 3
        if self.stopped_because is not None:
            self.trainer.should_stop = True
