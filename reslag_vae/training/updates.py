"""The updates of parameter groups, of which a training step makes one or several."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.data.images import Batch
from reslag_vae.models.generative import GROUPS, Group
from reslag_vae.training.forward import ForwardPass
from reslag_vae.training.freezing import frozen
from reslag_vae.training.group_steps import GroupSteps
from reslag_vae.training.noise import draw_noise

if TYPE_CHECKING:
    from reslag_vae.training.system import BaseVAE

# From images, noise of each level, samples of the prior and the labels that a conditional model is
# told, to the forward pass of the minibatch.
Forward = Callable[[Tensor, tuple[Tensor, ...] | None, Tensor | None, Tensor | None], ForwardPass]


class Updates:
    """The updates of a model's parameter groups.

    What an update needs of the model is looked up once, for the model does not change in training.

    Args:
        system: system that is trained.
        optimizers: optimizer of each group.
        steps: what is done to gradients before their step.
        forward: forward pass of a minibatch.
    """

    def __init__(
        self,
        system: "BaseVAE",
        optimizers: Mapping[Group, LightningOptimizer],
        steps: GroupSteps,
        forward: Forward,
    ) -> None:
        self.system, self.optimizers, self.steps, self.forward = system, optimizers, steps, forward
        self.parameters = {name: system.group_parameters(name) for name in GROUPS}
        self.contexts: dict[tuple[Group, ...], frozen] = {}

    def make(self, batch: Batch, groups: tuple[Group, ...]) -> ForwardPass:
        """Make one forward pass, one backward pass and a step of each of some groups.

        The other groups are frozen. Where a callback has frozen these, too, no parameter moves.

        Args:
            batch: minibatch.
            groups: groups that step.

        Raises:
            ConfigError: no parameter of any group is trained.
        """
        # Of all groups, before the forward pass: it may use their memory, and no tensor of a CUDA
        # graph may outlive it.
        for parameters in self.parameters.values():
            for parameter in parameters:
                parameter.grad = None
        model = self.system.model
        with self._others_frozen(groups):
            noise, prior = draw_noise(model, self.system.objective, batch.images)
            labels = None if model.condition is None else batch.labels
            forward = self.forward(batch.images, noise, prior, labels)
            if forward.loss.requires_grad:
                self.system.manual_backward(forward.loss)
        if not forward.loss.requires_grad:
            self._refuse_if_all_stand_still()
        for name in groups:
            self.steps.take(name, self.optimizers[name], self.parameters[name])
        model.end_update(groups)
        return forward

    def _refuse_if_all_stand_still(self) -> None:
        """Refuse to go on where no parameter of any group is trained."""
        every = [own for parameters in self.parameters.values() for own in parameters]
        if not any(own.requires_grad for own in every):
            raise ConfigError(
                "model: all of its parameters stand still; leave out the callback that has frozen "
                "them, or call the model's requires_grad_(True) to train it."
            )

    def _others_frozen(self, groups: Sequence[Group]) -> frozen:
        """Return the context of an update of some groups."""
        key = tuple(groups)
        if key not in self.contexts:
            others = [own for name in GROUPS if name not in key for own in self.system.group(name)]
            self.contexts[key] = frozen(*others)
        return self.contexts[key]
