"""The steps of the parameter groups' optimizers, and what is done to a gradient before its step."""

from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import nn

from reslag_vae._runtime import collectives
from reslag_vae.training.optimizers import AdamSettings


class GroupSteps:
    """The steps of all groups' optimizers, each clipped by the norm of its gradient.

    Args:
        settings: settings of the optimizers.
    """

    def __init__(self, settings: AdamSettings) -> None:
        self.clip_norm = settings.clip_norm

    def take(self, optimizer: LightningOptimizer, parameters: list[nn.Parameter]) -> None:
        """Make the step of a group after a backward pass.

        Args:
            optimizer: optimizer of the group, whose update is one fused kernel.
            parameters: parameters of the group.
        """
        collectives.average_gradients(parameters)
        if self.clip_norm is not None:
            # Lightning's own refuses a fused optimizer under bf16-mixed.
            nn.utils.clip_grad_norm_(parameters, self.clip_norm, foreach=True)
        optimizer.step()
