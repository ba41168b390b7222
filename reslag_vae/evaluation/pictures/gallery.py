"""The pictures of one model, and of several beside each other, one after the other."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch

from reslag_vae.evaluation import pictures
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.pictures import RatePoint, material
from reslag_vae.evaluation.pictures.material import DEVIATIONS, STRENGTHS, Exhibits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PRINCIPAL = ("first principal axis of the codes", "second principal axis")

Pictures = Iterator[tuple[str, "Figure"]]


class Shown(NamedTuple):
    """Of one run.

    Attributes:
        exhibits: what is drawn of it.
        class_names: of its data.
        latent_dim: d.
        sigma2: rows of metrics.csv with the statistics of the variance; empty where the objective
            has none.
        rate: between rate and distortion.
        pca: distortion of as many principal components; None where there are not so many.
    """

    exhibits: Exhibits
    class_names: list[str]
    latent_dim: int
    sigma2: list[dict[str, float]]
    rate: RatePoint
    pca: float | None


def shared(runs: dict[str, Shown]) -> Pictures:
    """Name and picture of what is drawn alike of one run and of several, by their titles."""
    first = next(iter(runs.values()))
    each = {title: run.exhibits for title, run in runs.items()}
    yield (
        "reconstructions",
        pictures.reconstructions(
            first.exhibits.originals,
            {title: shown.reconstructions for title, shown in each.items()},
        ),
    )
    yield "samples", pictures.samples({title: shown.samples for title, shown in each.items()})
    strips = {title: shown.strip for title, shown in each.items()}
    yield "interpolation", pictures.interpolation_strip(first.exhibits.corners[:2], strips)
    yield (
        "interpolation_square",
        pictures.interpolation_grid({title: shown.square for title, shown in each.items()}),
    )
    yield from planes(runs)
    rows = {title: run.sigma2 for title, run in runs.items() if run.sigma2}
    if rows:
        yield "sigma2", pictures.sigma2_curves(rows)
    if len(runs) > 1:
        limits = {run.pca for run in runs.values()}
        pca = limits.pop() if len(limits) == 1 else None
        yield "rate_distortion", pictures.rate_distortion([run.rate for run in runs.values()], pca)


def planes(runs: dict[str, Shown]) -> Pictures:
    """Codes in two dimensions, coloured by class."""
    first = next(iter(runs.values()))
    labels, names = first.exhibits.labels, first.class_names
    plane = {
        title: run.exhibits.plane for title, run in runs.items() if run.exhibits.plane is not None
    }
    if plane:
        dimensions = {run.latent_dim for run in runs.values()}
        axes = pictures.axis_names(first.latent_dim) if len(dimensions) == 1 else PRINCIPAL
        yield "posterior", pictures.posterior_scatter(plane, labels, names, axes)
    tsne = {
        title: run.exhibits.neighbours
        for title, run in runs.items()
        if run.exhibits.neighbours is not None
    }
    if tsne:
        count = len(next(iter(tsne.values())))
        yield (
            "tsne",
            pictures.posterior_scatter(tsne, labels[:count], names, ("t-SNE 1", "t-SNE 2")),
        )


def own(subject: Subject, attributes: Sequence[str]) -> Pictures:
    """Name and picture of what is drawn of one model alone."""
    first = subject.images.part(torch.tensor([0])).images[0]
    yield "traversals", pictures.traversals(first, DEVIATIONS, material.traversals(subject))
    yield "extremes", pictures.extremes(*material.extremes(subject))
    rows = material.translations(subject, attributes)
    if rows:
        yield "translations", pictures.translations(STRENGTHS, rows)
