"""The nearest neighbours of each of many codes, in bounded memory."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from reslag_vae.evaluation.progress import Progress, silent

# Codes whose distances to others are held at a time, and those others.
ROWS, OTHERS = 256, 8192


class Neighbours(NamedTuple):
    """The k nearest others of each of N codes, the nearest first.

    Attributes:
        positions: (N, k) their numbers.
        distances: (N, k) their Euclidean distances.
    """

    positions: np.ndarray
    distances: np.ndarray


def nearest(codes: np.ndarray, count: int, progress: Progress = silent) -> Neighbours:
    """Return the nearest other codes of each.

    Args:
        codes: (N, d) codes, which may be mapped to memory.
        count: number of neighbours, below N.
        progress: shows how many codes are done.
    """
    parts: list[Neighbours] = []
    with progress("neighbours", len(codes)) as advance:
        for start in range(0, len(codes), ROWS):
            part = as_doubles(codes[start : start + ROWS])
            parts.append(nearest_to(part, codes, count, start))
            advance(len(part))
    positions = np.concatenate([part.positions for part in parts])
    return Neighbours(positions, np.concatenate([part.distances for part in parts]))


def nearest_to(part: Tensor, codes: np.ndarray, count: int, start: int | None = None) -> Neighbours:
    """Return the nearest codes to others.

    Args:
        part: (B, d) codes in float64.
        codes: (N, d) codes, which may be mapped to memory.
        count: number of neighbours, at most N, and below it if `start` is given.
        start: number of the first of `part` among `codes`, if they are some of these: none is then
            a neighbour of its own.
    """
    own = nearest_of(part, len(codes) if start is None else start, codes, count)
    chosen = as_doubles(codes[own.numpy().reshape(-1)]).view(*own.shape, -1)
    # Of differences, since those of products are of no use between near twins.
    exact = (chosen - part[:, None]).square().sum(-1).sqrt()
    exact, order = exact.sort(dim=1, stable=True)
    return Neighbours(own.gather(1, order).numpy(), exact.numpy())


def nearest_of(part: Tensor, start: int, codes: np.ndarray, count: int) -> Tensor:
    """Return the (B, k) numbers of the nearest others of some codes.

    Args:
        part: (B, d) codes.
        start: number of the first of these among all codes; N if they are others.
        codes: (N, d) all codes.
        count: k, the number of neighbours.
    """
    best, places = part.new_empty(len(part), 0), torch.empty(len(part), 0, dtype=torch.long)
    for first in range(0, len(codes), OTHERS):
        others = as_doubles(codes[first : first + OTHERS])
        squares = others.square().sum(1) - 2 * part @ others.T
        numbers = torch.arange(first, first + len(others)).expand(len(part), -1)
        own = torch.arange(start, start + len(part))[:, None]
        squares = squares.masked_fill(numbers == own, torch.inf)
        best, places = torch.cat([best, squares], 1), torch.cat([places, numbers], 1)
        best, order = best.topk(min(count, best.shape[1]), dim=1, largest=False)
        places = places.gather(1, order)
    return places


def as_doubles(codes: np.ndarray) -> Tensor:
    """Return codes as a tensor in float64."""
    return torch.from_numpy(np.array(codes, dtype=np.float64))
