"""Means over images, accumulated on the device and read once."""

import torch
from torch import Tensor

from reslag_vae._runtime import collectives
from reslag_vae.objectives.base import Terms


class Means:
    """Running means of the terms of an objective, each minibatch weighted by its number of images.

    Adding costs no synchronisation with the device; reading costs one.
    """

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        self.sums: Tensor | None = None
        self.count, self.minibatches = 0, 0
        # A sum that is not finite stays so: of how many minibatches each was finite.
        self.finite: Tensor | None = None

    def add(self, terms: Terms) -> None:
        """Add the terms of one minibatch."""
        scalars = reduced(terms)
        count = len(terms.loss)
        sums = torch.stack(list(scalars.values())).double() * count
        self.names = tuple(scalars)
        self.sums = sums if self.sums is None else self.sums + sums
        finite = self.sums.isfinite().long()
        self.finite = finite if self.finite is None else self.finite + finite
        self.count, self.minibatches = self.count + count, self.minibatches + 1

    def gathered(self, in_turns: bool = False) -> "Means":
        """Return the means over all processes; each process must call it.

        Args:
            in_turns: whether each process has added minibatches of its own, and not its part of
                every minibatch.
        """
        if collectives.count() == 1:
            return self
        united = Means()
        own = (
            None
            if self.sums is None or self.finite is None
            else (self.sums.cpu(), self.finite.cpu())
        )
        for names, parts, count in collectives.objects((self.names, own, self.count)):
            if parts is None:
                continue
            sums, finite = parts
            united.names, united.count = names, united.count + count
            united.minibatches = 0 if in_turns else self.minibatches
            united.sums = sums if united.sums is None else united.sums + sums
            united.finite = (
                finite if united.finite is None else torch.minimum(united.finite, finite)
            )
        return united

    def read(self) -> dict[str, float]:
        """Return the mean over images of every term; empty if nothing was added."""
        if self.sums is None:
            return {}
        return dict(zip(self.names, (self.sums / self.count).tolist(), strict=True))

    def first_non_finite(self) -> int | None:
        """Return the number of the first minibatch with a term that is not finite, counted from 1.

        It is None if there is none, or if it is not known.
        """
        finite = self.minibatches if self.finite is None else int(self.finite.min())
        return finite + 1 if finite < self.minibatches else None


@torch.no_grad()
def reduced(terms: Terms) -> dict[str, Tensor]:
    """Return the terms that exist as () tensors, their means over the minibatch."""
    scalars = {
        "loss": terms.loss,
        "distortion": terms.distortion,
        "rec": terms.rec,
        "kl": terms.kl,
        **terms.extras,
    }
    return {name: value.detach().mean() for name, value in scalars.items() if value is not None}
