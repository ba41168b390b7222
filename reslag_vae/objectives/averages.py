"""Means over images, accumulated on the device and read once."""

from typing import NamedTuple

import torch
from torch import Tensor

from reslag_vae._runtime import collectives
from reslag_vae.objectives.base import Terms


class Row(NamedTuple):
    """The means of a minibatch's terms.

    Attributes:
        names: names of the K terms.
        values: (K,) means over the minibatch.
    """

    names: tuple[str, ...]
    values: Tensor


class Means:
    """Running means of the terms of an objective, each minibatch weighted by its number of images.

    Adding costs no synchronisation with the device and no computation; reading costs both.

    Attributes:
        names: names of the K terms; empty before anything is added.
        count: number of images.
        ordered: whether the rows are in the order of training.
    """

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        self.count, self.ordered = 0, True
        self._rows: list[Tensor] = []
        self._counts: list[int] = []

    def add(self, terms: Terms) -> None:
        """Add the terms of one minibatch."""
        self.add_row(row_of(terms), len(terms.loss))

    def add_row(self, row: Row, count: int) -> None:
        """Add the means of one minibatch.

        Args:
            row: the means.
            count: number of images in the minibatch.
        """
        self.add_rows(row.names, row.values[None], [count])

    def add_rows(self, names: tuple[str, ...], rows: Tensor, counts: list[int]) -> None:
        """Add the means of minibatches.

        Args:
            names: names of the K terms.
            rows: (n, K) means, a row for each minibatch.
            counts: number of images in each of the n minibatches.
        """
        self.names = names
        self._rows.append(rows)
        self._counts += counts
        self.count += sum(counts)

    @property
    def minibatches(self) -> int:
        """The number of minibatches added."""
        return len(self._counts)

    @property
    def rows(self) -> Tensor:
        """The (M, K) float64 means of every minibatch added; (0, 0) if there is none."""
        if not self._rows:
            return torch.empty(0, 0, dtype=torch.float64)
        self._rows = [torch.cat(self._rows).double()]
        return self._rows[0]

    def column(self, name: str) -> Tensor | None:
        """Return the (M,) means of a term in every minibatch; None if there is no such term."""
        return self.rows[:, self.names.index(name)] if name in self.names else None

    def gathered(self, in_turns: bool = False) -> "Means":
        """Return the means over all processes; each process must call it.

        Args:
            in_turns: whether each process has added minibatches of its own, and not its part of
                every minibatch.
        """
        if collectives.count() == 1:
            return self
        united = Means()
        parts = collectives.objects((self.names, self.rows.cpu(), self._counts))
        filled = [part for part in parts if part[0]]
        if not filled:
            return united
        names = filled[0][0]
        if in_turns:
            united.ordered = False
            for _, rows, counts in filled:
                united.add_rows(names, rows, counts)
            return united
        shares = torch.stack([rows for _, rows, _ in filled])
        images = torch.tensor([counts for _, _, counts in filled])
        weights = images / images.sum(0)
        united.add_rows(names, (shares * weights[..., None]).sum(0), images.sum(0).tolist())
        return united

    def read(self) -> dict[str, float]:
        """Return the mean over images of every term; empty if nothing was added."""
        if not self._rows:
            return {}
        rows = self.rows
        counts = torch.tensor(self._counts, dtype=rows.dtype, device=rows.device)
        # One minibatch after the other, so that it does not matter how many came at once.
        sums = (rows * counts[:, None]).cumsum(0)[-1]
        return dict(zip(self.names, (sums / self.count).tolist(), strict=True))

    def first_non_finite(self) -> int | None:
        """Return the number of the first minibatch with a term that is not finite, counted from 1.

        It is None if there is none, or if it is not known.
        """
        broken = ~self.rows.isfinite().all(1)
        return int(broken.long().argmax()) + 1 if self.ordered and bool(broken.any()) else None


def row_of(terms: Terms) -> Row:
    """Return the means of a minibatch's terms, those that exist, without their gradients."""
    scalars = {
        "loss": terms.loss,
        "distortion": terms.distortion,
        "rec": terms.rec,
        "kl": terms.kl,
        **terms.extras,
    }
    means = {name: value.detach().mean() for name, value in scalars.items() if value is not None}
    return Row(tuple(means), torch.stack(list(means.values())))
