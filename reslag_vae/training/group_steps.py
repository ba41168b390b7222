"""The steps of the parameter groups' optimizers, and what is done to a gradient before its step."""

from collections.abc import Mapping

from lightning import Trainer
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn

from reslag_vae._runtime import collectives
from reslag_vae.models.generative import GROUPS, Group
from reslag_vae.training.divergence import refuse_standstill
from reslag_vae.training.gradient_skip import GradientSkip
from reslag_vae.training.optimizers import AdamSettings


class GroupSteps:
    """The steps of all groups' optimizers, each skipped or clipped by the norm of its gradient.

    A skipped step leaves the parameters, the moments and the count of steps of its group as they
    are, and the other group may take its own. What the forward pass has learned of the minibatch
    is kept, for it is no matter of the gradient: running averages of a batch normalization, of a
    codebook and of a variance.

    Args:
        settings: settings of the optimizers.

    Attributes:
        skips: rule of each group by which steps are skipped; empty if none is.
    """

    def __init__(self, settings: AdamSettings) -> None:
        self.clip_norm = settings.clip_norm
        self.skips: dict[Group, GradientSkip] = {}
        if settings.skip_above is not None:
            self.skips = {name: GradientSkip(settings.skip_above) for name in GROUPS}

    def to(self, like: Tensor) -> None:
        """Move what judges steps to the device and the precision of a tensor.

        It is done before the first step: a CUDA graph repeats steps on the same memory.
        """
        for skip in self.skips.values():
            skip.to(like)

    def take(
        self, name: Group, optimizer: LightningOptimizer, parameters: list[nn.Parameter]
    ) -> None:
        """Make the step of a group after a backward pass.

        Args:
            name: the group.
            optimizer: optimizer of the group, whose update is one fused kernel.
            parameters: parameters of the group.
        """
        collectives.average_gradients(parameters)
        gradients = []
        if self.skips or self.clip_norm is not None:
            gradients = [own.grad for own in parameters if own.grad is not None]
        if gradients:  # the norm of none is on the CPU, wherever the group is
            norm = nn.utils.get_total_norm(gradients, foreach=True)
            if self.skips:
                # The fused kernel writes nothing where this is 1: by it PyTorch's GradScaler skips
                # a step, too, without a read from the device. No class declares the attribute.
                skip = self.skips[name].judge(norm).float()
                optimizer.optimizer.found_inf = skip  # type: ignore[attr-defined]
            if self.clip_norm is not None:
                # Lightning's own refuses a fused optimizer under bf16-mixed.
                nn.utils.clip_grads_with_norm_(parameters, self.clip_norm, norm, foreach=True)
        optimizer.step()

    def tensors(self) -> list[Tensor]:
        """Return what is changed in place when a step is judged."""
        return [own for skip in self.skips.values() for own in skip.tensors()]

    def begin_epoch(self) -> None:
        """Count skipped steps from 0."""
        for skip in self.skips.values():
            skip.begin_epoch()

    def end_epoch(self, trainer: Trainer) -> dict[str, float]:
        """Return the number of steps that were skipped in the epoch, if any may be, by its name.

        Args:
            trainer: trainer of the run.

        Raises:
            NonFiniteError: no gradient of a group was finite, so that the group stands still.
        """
        refuse_standstill(trainer, self.skips)
        if not self.skips:
            return {}
        return {"skipped_updates": sum(float(skip.skipped) for skip in self.skips.values())}

    def state_dict(self) -> dict[Group, Tensor]:
        """Return the latest gradient norms of each group; empty if no step is ever skipped."""
        return {name: skip.state() for name, skip in self.skips.items()}

    def load_state_dict(self, norms: Mapping[Group, Tensor]) -> None:
        """Go on from the gradient norms that `state_dict` has returned."""
        for name, skip in self.skips.items():
            if name in norms:
                skip.restore(norms[name])
