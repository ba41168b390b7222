"""What a file without a server shows: all images decoded beforehand, on grids."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reslag_vae.apply.samplers import LEARNED
from reslag_vae.evaluation.progress import Progress, silent
from reslag_vae.explore.explorer import Explorer
from reslag_vae.explore.pictures import Pictures, evenly
from reslag_vae.explore.sheets import Sheet, sheet_of

# Largest side of an image in the file, in pixels
SIDE = 64
NEIGHBOURS = 8
MOST_NAMES = 12


class Plan(NamedTuple):
    """How many images are decoded.

    Attributes:
        starts: number of pictures that sliders start from.
        axes: number of sliders.
        values: places of a slider, in standard deviations.
        side: places of each side of the plane of the first two axes.
        steps: images from one picture to another.
        strengths: factors of what is added.
        samples: number of samples of each sampler and temperature.
        temperatures: their temperatures.
        reconstructed: number of pictures that are reconstructed, at most.
    """

    starts: int
    axes: int
    values: tuple[float, ...]
    side: int
    steps: int
    strengths: tuple[float, ...]
    samples: int
    temperatures: tuple[float, ...]
    reconstructed: int


QUICK = Plan(
    starts=6,
    axes=8,
    values=(-3.0, -2.25, -1.5, -0.75, 0.0, 0.75, 1.5, 2.25, 3.0),
    side=11,
    steps=9,
    strengths=(-1.0, -0.5, 0.0, 0.5, 1.0, 1.5),
    samples=24,
    temperatures=(0.5, 0.8, 1.0),
    reconstructed=1_000_000,
)

# Of a model that draws an image pixel after pixel
SLOW = Plan(
    starts=2,
    axes=2,
    values=(-2.0, 0.0, 2.0),
    side=0,
    steps=3,
    strengths=(0.0, 1.0),
    samples=4,
    temperatures=(1.0,),
    reconstructed=8,
)


def contents(explorers: Sequence[Explorer], progress: Progress = silent) -> dict[str, Any]:
    """Return what a file shows of several models and their pictures, as plain values.

    Args:
        explorers: explorers of the same pictures, at least one.
        progress: shows how many models are done.
    """
    pictures = explorers[0].pictures
    with progress("decoding", len(explorers)) as advance:
        runs = []
        for explorer in explorers:
            runs.append(run_contents(explorer))
            advance(1)
    return {
        "source": pictures.source,
        "notes": [*pictures.notes, *size_notes(pictures)],
        "names": list(pictures.names),
        "labels": pictures.labels.tolist(),
        "classes": list(pictures.classes),
        "trained": trained_values(pictures),
        "sheet": as_values(sheet_of(pictures.images, SIDE)),
        "runs": runs,
    }


def run_contents(explorer: Explorer) -> dict[str, Any]:
    """Return what a file shows of one model."""
    plan = QUICK if explorer.quick else SLOW
    starts = starts_of(explorer.pictures, plan.starts)
    points = explorer.points[starts]
    kept = evenly(explorer.pictures.size, plan.reconstructed)
    return {
        "title": explorer.title,
        "facts": explorer.facts,
        "notes": explorer.notes,
        "maps": {name: places_of(explorer.map(name)) for name in explorer.maps},
        "reconstructed": kept.tolist(),
        "reconstructions": drawn(explorer.images(explorer.points[kept])),
        "neighbours": explorer.all_neighbours(NEIGHBOURS).tolist(),
        "starts": starts.tolist(),
        "sliders": sliders(explorer, points, plan),
        "plane": plane(explorer, points, plan),
        "lines": lines(explorer, points, plan),
        "square": square(explorer, points, plan),
        "sums": sums(explorer, starts, plan),
        "samples": samples(explorer, plan),
    }


def trained_values(pictures: Pictures) -> list[bool] | None:
    """Return whether the model was trained on each picture; None if it was on all or on none."""
    values: list[bool] | None = None if pictures.trained is None else pictures.trained.tolist()
    return values


def starts_of(pictures: Pictures, count: int) -> Tensor:
    """Return the numbers of some pictures, of different classes if there are so many."""
    firsts: dict[int, int] = {}
    for row, label in enumerate(pictures.labels.tolist()):
        firsts.setdefault(label, row)
    spread = evenly(pictures.size, 2 * count).tolist()
    return torch.tensor(list(dict.fromkeys([*firsts.values(), *spread]))[:count])


def sliders(explorer: Explorer, points: Tensor, plan: Plan) -> dict[str, Any]:
    """Return what each slider does alone: images by start, axis and value, in this order."""
    count = min(plan.axes, len(explorer.axes))
    parts = [
        explorer.traverse(point, axis, plan.values) for point in points for axis in range(count)
    ]
    return {
        "axes": [axis.label for axis in explorer.axes[:count]],
        "values": list(plan.values),
        "own": explorer.coordinates(points)[:, :count].tolist(),
        "images": drawn(torch.cat(parts)),
    }


def plane(explorer: Explorer, points: Tensor, plan: Plan) -> dict[str, Any] | None:
    """Return what the first two axes do together: images by start, row and column."""
    if plan.side < 2 or len(explorer.axes) < 2:
        return None
    values = torch.linspace(-2.5, 2.5, plan.side).tolist()
    moved = [
        explorer.moved(point, {0: right, 1: up})
        for point, up, right in itertools.product(points, reversed(values), values)
    ]
    return {
        "axes": [axis.label for axis in explorer.axes[:2]],
        "values": values,
        "images": drawn(explorer.images(torch.stack(moved))),
    }


def lines(explorer: Explorer, points: Tensor, plan: Plan) -> dict[str, Any] | None:
    """Return the lines between each two starts: images by pair and step."""
    pairs = list(itertools.combinations(range(len(points)), 2))
    if not pairs:
        return None
    parts = [explorer.interpolate(points[list(pair)], plan.steps) for pair in pairs]
    return {"pairs": pairs, "steps": plan.steps, "images": drawn(torch.cat(parts))}


def square(explorer: Explorer, points: Tensor, plan: Plan) -> dict[str, Any] | None:
    """Return the square between the first four starts: images row by row."""
    if len(points) < 4 or plan.side < 2:
        return None
    side = 7
    images = explorer.interpolate(points[:4], side).flatten(0, 1)
    return {"side": side, "images": drawn(images)}


def sums(explorer: Explorer, starts: Tensor, plan: Plan) -> dict[str, Any] | None:
    """Return what an added vector does: images by start, name and strength.

    The class of the start is taken away where another class is added.
    """
    names = list(explorer.vectors)[: MOST_NAMES if explorer.quick else 2]
    if not names:
        return None
    parts = [
        explorer.arithmetic(
            explorer.points[start], name, taken(explorer, start, name), plan.strengths
        )
        for start, name in itertools.product(starts.tolist(), names)
    ]
    images = drawn(torch.cat(parts))
    return {"names": names, "strengths": list(plan.strengths), "images": images}


def taken(explorer: Explorer, position: int, name: str) -> str | None:
    """Return the class of a picture where another class is added to it, else None."""
    own = explorer.pictures.label(position)
    exchanged = name in explorer.pictures.classes and own in explorer.vectors
    return own if exchanged else None


def samples(explorer: Explorer, plan: Plan) -> dict[str, Any]:
    """Return samples by sampler, temperature and number. A learned prior takes too long to fit."""
    samplers = [name for name in explorer.samplers if name not in LEARNED or explorer.has(name)]
    pairs = itertools.product(samplers, plan.temperatures)
    parts = [explorer.samples(name, plan.samples, heat) for name, heat in pairs]
    return {
        "samplers": samplers,
        "temperatures": list(plan.temperatures),
        "count": plan.samples,
        "images": drawn(torch.cat(parts)),
    }


def size_notes(pictures: Pictures) -> list[str]:
    """Return a sentence if images are reduced."""
    height, width = pictures.images.shape[2:]
    if max(height, width) <= SIDE:
        return []
    return [f"Images of {width} x {height} pixels are reduced to {SIDE} in this file."]


def places_of(places: Tensor) -> list[list[float]]:
    """Return (N, 2) places as numbers from 0 to 1, to a thousandth."""
    low, high = places.amin(0), places.amax(0)
    scaled = (places - low) / (high - low).clamp_min(1e-12)
    return [[round(x, 3), round(y, 3)] for x, y in scaled.tolist()]


def drawn(images: Tensor) -> dict[str, Any]:
    """Return images as a sheet, reduced, as plain values."""
    return as_values(sheet_of(images, SIDE))


def as_values(sheet: Sheet) -> dict[str, Any]:
    """Return a sheet as plain values."""
    return sheet._asdict()
