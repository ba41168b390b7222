"""The LightningModule of every variant, with the one training step that all of them share."""

from contextlib import suppress
from typing import Any, ClassVar

import torch
from lightning import LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.data.images import Batch, as_batch, check_images
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
from reslag_vae.training import at_once, defaults
from reslag_vae.training.compiled import Compile, CompiledForward, is_repaid
from reslag_vae.training.distributed_evaluation import add_in_turn
from reslag_vae.training.divergence import refuse_non_finite
from reslag_vae.training.forward import ForwardPass, forward_pass
from reslag_vae.training.fused_adam import FusedAdam
from reslag_vae.training.graphed import GraphedSteps, may_be_graphs
from reslag_vae.training.group_steps import GroupSteps
from reslag_vae.training.optimizers import AdamSettings
from reslag_vae.training.requirements import check_requirements
from reslag_vae.training.schedules import Joint, Lagging, Schedule, Update
from reslag_vae.training.starting import start_from_data
from reslag_vae.training.steps import TrainingSteps
from reslag_vae.training.updates import Updates
from reslag_vae.training.weight_average import WeightAverage


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
        validated: whether the training epoch has been validated: only then are there new metrics.
        minibatch_size: number of images in a minibatch where the loader gives several at once; None
            if it gives one.
        compilation: whether `fit` compiles the updates: True, False, or "auto", where the run is
            long enough. On a GPU it also captures the steps, long or short, but for False.
        compiled: forward pass of compiled updates, in training; None if they are not.
        graphed: steps as CUDA graphs, in training; None if they are not.
        average: moving average of the model's weights, in training; None if there is none.
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
        self.group_steps = GroupSteps(self.optimizer)
        self.steps = TrainingSteps(self)
        check_requirements(self)

        self.images_seen = 0
        self.validated = False
        self.minibatch_size: int | None = None
        self.stopped_because: str | None = None
        self.train_means = Means()
        self.evaluation = EvaluationEpoch(model, objective)
        self.compilation: Compile = False
        self.compiled: CompiledForward | None = None
        self.graphed: GraphedSteps | None = None
        self.average: WeightAverage | None = None
        self.average_so_far: dict[str, Any] = {}  # of a checkpoint
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
        labels: Tensor | None = None,
    ) -> Terms:
        """Return the objective's terms of a minibatch.

        Args:
            images: (B, C, H, W) images.
            noise: (B, d_l) noise of each level's samples; drawn if None.
            prior: (P, d) samples of the prior, for an objective that needs them.
            labels: (B,) class numbers or (B, K) attributes, which a conditional model is told.
        """
        return compute_terms(self.model, self.objective, images, noise, prior, labels)[0]

    # Training

    def _forward_pass(
        self,
        images: Tensor,
        noise: tuple[Tensor, ...] | None,
        prior: Tensor | None,
        labels: Tensor | None = None,
    ) -> ForwardPass:
        """Return what an update needs of the terms of a minibatch; see `terms`."""
        told = {} if labels is None else {"labels": labels}
        return forward_pass(self.terms(images, noise, prior, **told))

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
            name: float(optimizer.param_groups[0]["lr"])
            for name, optimizer in zip(GROUPS, self.optimizers(), strict=True)
        }

    def setup(self, stage: str) -> None:
        if self.trainer.strategy.root_device.type == "mps":
            raise ConfigError(
                "Trainer(accelerator=...): Apple's GPU has no float64, which averages and "
                "evaluations are computed in: accelerator='cpu'."
            )
        at_once.arrange(self.trainer, self)
        if stage == "fit":
            self.schedule.check_length(self.trainer.max_epochs)
            self.compiled = self.graphed = self.average = None  # those of an earlier training
            self.average_so_far = {}

    def prepare_updates(self) -> None:
        """Look up what the updates of each group need, once, before the first one."""
        optimizers = dict(zip(GROUPS, self.optimizers(), strict=True))
        forward = self.compiled or self._forward_pass
        self.updates = Updates(self, optimizers, self.group_steps, forward)

    def on_train_start(self) -> None:
        # What the sanity check took in of the untrained model is no result.
        self.evaluation = EvaluationEpoch(self.model, self.objective)
        if self.compilation is True or (self.compilation == "auto" and is_repaid(self)):
            self.compiled = CompiledForward(self._forward_pass, self.model)
        self.prepare_updates()
        self.group_steps.to(self.model.parameter)
        for optimizer in self.trainer.optimizers:
            if isinstance(optimizer, FusedAdam):
                optimizer.adapt(self.device)
        if self.compilation and may_be_graphs(self.trainer, self):
            self.graphed = GraphedSteps(self)
        if not self.images_seen:
            start_from_data(self)
        if self.optimizer.ema_decay is not None:
            self.average = WeightAverage(self.model, self.optimizer.ema_decay)
            if self.average_so_far:
                self.average.load_state_dict(self.average_so_far)

    def on_train_epoch_start(self) -> None:
        self.objective.begin_epoch(self.current_epoch)
        self.schedule.begin_epoch(self.current_epoch)
        self.group_steps.begin_epoch()
        self.steps.begin_epoch()
        self.train_means = Means()
        self.validated = False

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Make the steps of the schedule on one minibatch, or on several that came together.

        Returns:
            `loss`, the mean loss of the last update.
        """
        if self.average is not None:
            self.average.hide()  # the validation before has shown it
        batch, condition = self.taken(batch, batch_idx), self.model.condition
        # Of a data module all labels were looked at before the run.
        if condition is not None and getattr(self.trainer, "datamodule", None) is None:
            condition.check(batch.labels)
        rows = self.graphed(batch) if self.graphed else self.steps(batch)
        counts = self.steps.sizes(batch)[: len(rows)]
        self.train_means.add_rows(self.steps.names, rows, counts)
        self.images_seen += sum(counts) * self.trainer.world_size
        return {"loss": rows[-1, 0]}

    def taken(self, given: Any, index: int) -> Batch:
        """Return a minibatch of whatever a loader gives; of its first one the images are checked.

        Args:
            given: what the loader gives.
            index: number of the minibatch in the loader, from 0.

        Raises:
            ValueError: it is no minibatch, or the model cannot take its images.
        """
        batch = as_batch(given)
        if index == 0:
            own = self.model
            check_images(batch.images, own.image_shape, own.parameter.dtype, own.likelihood.binary)
        return batch

    def update(self, batch: Batch, update: Update) -> ForwardPass:
        """Make one update on a minibatch."""
        return self.updates.make(batch, update.groups)

    def on_train_end(self) -> None:
        if self.graphed:
            self.graphed.release()
        if self.average is not None:
            self.average.show()

    def on_train_epoch_end(self) -> None:
        means = self.train_means.gathered()
        mse = float(self.train_mse)
        metrics = with_yardstick(means.read(), self.model, self.objective, mse)
        self._log("train", metrics | self.group_steps.end_epoch(self.trainer), means)
        if self.validated:
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

    def on_validation_start(self) -> None:
        # It is shown until the next step, so that an epoch is drawn as it was validated.
        if self.average is not None and self.trainer.state.fn == TrainerFn.FITTING:
            self.average.show()

    def on_validation_epoch_start(self) -> None:
        # Of a trained model the checkpoint has the error of its own epoch.
        if self.train_means.count and self.trainer.state.fn == TrainerFn.FITTING:
            means = self.train_means.gathered()
            metrics = means.read()
            refuse_non_finite(self.trainer, "train", metrics, means)
            self.train_mse.fill_(metrics["rec"] / self.model.dimensions)
        self.evaluation = EvaluationEpoch(self.model, self.objective)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        taken = self.taken(batch, batch_idx)
        add_in_turn(self.evaluation, taken, batch_idx, self.trainer.val_dataloaders)

    def on_validation_epoch_end(self) -> None:
        self._end_evaluation("val")
        self.validated = True

    def on_test_epoch_start(self) -> None:
        self.evaluation = EvaluationEpoch(self.model, self.objective)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        taken = self.taken(batch, batch_idx)
        add_in_turn(self.evaluation, taken, batch_idx, self.trainer.test_dataloaders)

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
            "gradient_norms": self.group_steps.state_dict(),
            "average": {} if self.average is None else self.average.state_dict(),
        }
        if self.average is not None:
            averages = self.average.averages()
            checkpoint["state_dict"] |= {f"model.{name}": own for name, own in averages.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        progress = checkpoint["progress"]
        self.images_seen = progress["images_seen"]
        self.stopped_because = progress["stopped_because"]
        self.schedule.load_state_dict(progress["schedule"])
        self.group_steps.load_state_dict(
            progress.get("gradient_norms", {})
        )  # younger than schema 3
        self.average_so_far = progress.get("average", {})  # this, too
        if self.stopped_because is not None:
            self.trainer.should_stop = True
