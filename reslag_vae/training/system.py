"""The one training step, shared by every variant: the control of the comparison."""

import itertools
import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from reslag_vae._runtime import collectives
from reslag_vae.networks import Network
from reslag_vae.objectives import Objective
from reslag_vae.objectives.averages import Means
from reslag_vae.records import Batch, Terms
from reslag_vae.training.compiled import CompiledTerms
from reslag_vae.training.evaluation_hooks import EvaluationHooks
from reslag_vae.training.freezing import frozen
from reslag_vae.training.optimizers import AdamSettings, match_layout
from reslag_vae.training.parts import check_parts
from reslag_vae.training.schedules import GROUPS, Group, Joint, Lagging, Schedule, Update

# Share of its ceiling at which an estimate of the mutual information tells nothing any more.
SATURATED = 0.95


class BaseVAE(EvaluationHooks):
    """A network, an objective and a schedule, trained by manual optimization with one Adam for each group.

    A variant is a subclass that names which of the three it takes; it does not override the steps.
    The groups are "inference" (the encoder) and "generative" (the decoder, and the objective's own
    parameters).

    Args:
        network: the two halves.
        objective: what is minimised.
        schedule: which groups are updated, and when.
        optimizer: of each group.

    Raises:
        ValueError: the variant does not take this network, objective or schedule, saying which it
            takes.
    """

    networks: ClassVar[tuple[type[Network], ...]] = (Network,)
    objectives: ClassVar[tuple[type[Objective], ...]]
    schedules: ClassVar[tuple[type[Joint] | type[Lagging], ...]] = (Joint, Lagging)

    def __init__(
        self,
        network: Network,
        objective: Objective,
        schedule: Schedule | None = None,
        optimizer: AdamSettings | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network, self.objective = network, objective
        self.schedule: Schedule = Joint() if schedule is None else schedule
        self.optimizer = AdamSettings() if optimizer is None else optimizer
        check_parts(self)

        self.images_seen = 0
        self.phase_ended_at: int | None = None
        self.last_information = -math.inf
        self.stopped_because: str | None = None
        self.train_means = Means()
        self.begin_evaluation()
        self.fresh_batches: Iterator[Batch] | None = None
        self.compiled: CompiledTerms | None = None
        # The common yardstick's likelihood variance: mean squared error per pixel on the training
        # split.
        self.register_buffer("train_mse", torch.ones((), dtype=torch.float64))

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) reconstructions of (B, C, H, W) images."""
        return self.reconstruct(images)

    # Training

    def group(self, name: Group) -> list[nn.Module]:
        """The modules of a parameter group."""
        return (
            [self.network.inference]
            if name == "inference"
            else [self.network.generative, self.objective]
        )

    def parameters_of(self, name: Group) -> list[nn.Parameter]:
        """The parameters of a group."""
        return [parameter for module in self.group(name) for parameter in module.parameters()]

    def metric_names(self) -> list[str]:
        """What an evaluation of this model yields, found by one of two black images; nothing of the model changes."""
        training = self.training
        self.eval()
        self.begin_evaluation()
        images = torch.zeros(
            2, *self.network.image_shape, dtype=torch.uint8, device=self.train_mse.device
        )
        self.evaluate_batch(Batch(images, torch.full((2,), -1)))
        names = list(self.end_evaluation())
        self.begin_evaluation()
        self.train(training)
        return names

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LRScheduler]]:
        optimizers = [self.optimizer.build(self.parameters_of(name)) for name in GROUPS]
        plateau = self.optimizer.plateau
        return list(optimizers), [] if plateau is None else [
            plateau.build(optimizer) for optimizer in optimizers
        ]

    def learning_rates(self) -> dict[str, float]:
        """Of each group, now."""
        return {
            name: opt.param_groups[0]["lr"]
            for name, opt in zip(GROUPS, self.optimizers(), strict=True)
        }

    @property
    def aggressive(self) -> bool:
        """Whether the current epoch trains the encoder aggressively."""
        return self.current_epoch < self.aggressive_epochs(self.current_epoch + 1)

    def aggressive_epochs(self, epochs: int) -> int:
        """How many of the first `epochs` epochs train the encoder aggressively."""
        planned = self.schedule.epochs if isinstance(self.schedule, Lagging) else 0
        return min(epochs, planned, epochs if self.phase_ended_at is None else self.phase_ended_at)

    def setup(self, stage: str) -> None:
        if stage == "fit" and isinstance(self.schedule, Lagging):
            self.schedule.check_length(self.trainer.max_epochs)

    def compile_updates(self) -> None:
        """Have `fit` compile the forward and backward pass of each kind of update (torch.compile)."""
        self.compiled = CompiledTerms(self)

    def on_train_start(self) -> None:
        # What the sanity check took in of the untrained model is no result.
        self.begin_evaluation()
        if self.compiled is not None:
            self.compiled.begin()
        for optimizer in self.trainer.optimizers:
            match_layout(optimizer)

    def on_train_epoch_start(self) -> None:
        self.objective.begin_epoch(self.current_epoch)
        self.train_means, self.fresh_batches = Means(), None

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        for update in self.schedule.updates(self.aggressive):
            terms = self._update(self._batch_of(update, batch), update)
        # The last update moves the generative group under every schedule: its terms are the step's.
        self.objective.observe(terms)
        self.train_means.add(terms)
        self.images_seen += len(batch.images) * self.trainer.world_size
        return {"loss": terms.loss.detach().mean()} | (
            {} if terms.sigma2 is None else {"sigma2": terms.sigma2.detach().clone()}
        )

    def _batch_of(self, update: Update, batch: Batch) -> Batch:
        """The step's own minibatch, or for an encoder-only update with `batches: fresh` the next other one."""
        if (
            "generative" in update
            or not isinstance(self.schedule, Lagging)
            or self.schedule.batches == "same"
        ):
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
        """One forward, one backward and one optimizer step of the groups in `update`; the others are frozen."""
        optimizers = dict(zip(GROUPS, self.optimizers(), strict=True))
        # All of them, before the forward pass: it may use their memory, and no tensor of a CUDA
        # graph may outlive it.
        for optimizer in optimizers.values():
            optimizer.zero_grad()
        with ExitStack() as still:
            for name in GROUPS:
                if name not in update:
                    still.enter_context(frozen(*self.group(name)))
            terms = (self.compiled or self.terms)(batch.images, *self._draw(batch.images))
            self.manual_backward(terms.loss.mean())
        for name in update:
            collectives.average_gradients(self.parameters_of(name))
            if self.optimizer.clip_norm is not None:
                # Lightning's own refuses a fused optimizer under bf16-mixed.
                nn.utils.clip_grad_norm_(
                    self.parameters_of(name), self.optimizer.clip_norm, foreach=True
                )
            optimizers[name].step()
        return terms

    def _draw(self, images: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """The numbers that one process would draw for the B images of all processes, of which b are here.

        Returns:
            (b, d) noise of the posterior's samples; None where it is a point.
            (B, d) samples of the prior; None where the objective draws none.
        """
        shape = (len(images) * collectives.count(), self.network.latent_dim)
        dtype = images.dtype if images.is_floating_point() else torch.float32
        needed = (not self.deterministic, self.objective.draws_prior)
        noise, prior = (
            torch.randn(shape, dtype=dtype, device=images.device) if need else None
            for need in needed
        )
        return None if noise is None else collectives.own_part(noise), prior

    def on_train_epoch_end(self) -> None:
        means = self.train_means.of_all()
        self._log("train", self.with_yardstick(means.read()), means)
        self._step_schedulers()
        self._end_phase_by_information()

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

    def _end_phase_by_information(self) -> None:
        if not (
            self.aggressive
            and isinstance(self.schedule, Lagging)
            and self.schedule.until != "epochs"
        ):
            return
        information = self.trainer.callback_metrics.get("val/mutual_information")
        if information is None:
            return
        if float(information) > SATURATED * float(
            self.trainer.callback_metrics["val/mutual_information_ceiling"]
        ):
            return  # The estimate cannot rise further, whatever the mutual information does.
        if float(information) <= self.last_information:
            self.phase_ended_at = self.current_epoch + 1
        self.last_information = float(information)

    # Checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["progress"] = {
            "images_seen": self.images_seen,
            "phase_ended_at": self.phase_ended_at,
            "last_information": self.last_information,
            "stopped_because": self.stopped_because,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        progress = checkpoint["progress"]
        self.images_seen = progress["images_seen"]
        self.phase_ended_at = progress["phase_ended_at"]
        self.last_information = progress["last_information"]
        self.stopped_because = progress["stopped_because"]
        if self.stopped_because is not None:
            self.trainer.should_stop = True
