"""The forward pass of a minibatch in training, as far as an update needs it."""

from typing import NamedTuple

from torch import Tensor

from reslag_vae.objectives import Terms
from reslag_vae.objectives.averages import Row, row_of


class ForwardPass(NamedTuple):
    """The result of a minibatch's forward pass.

    The loss alone has a gradient, so that a compiled backward pass takes one.

    Attributes:
        loss: () mean of the losses.
        losses: (B,) losses.
        means: means of all terms over the minibatch.
        extras: further tensors by name, of which a likelihood learns.
    """

    loss: Tensor
    losses: Tensor
    means: Row
    extras: dict[str, Tensor]


def forward_pass(terms: Terms) -> ForwardPass:
    """Return what an update needs of the terms of a minibatch."""
    extras = {name: value.detach() for name, value in terms.extras.items()}
    return ForwardPass(terms.loss.mean(), terms.loss.detach(), row_of(terms), extras)
