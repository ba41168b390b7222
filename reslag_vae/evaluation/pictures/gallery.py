"""The pictures of one model, and of several models side by side."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from reslag_vae.evaluation import pictures
from reslag_vae.evaluation.codes import decode
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.metrics.spectra import ring_frequencies
from reslag_vae.evaluation.pictures import RatePoint, told
from reslag_vae.evaluation.pictures.material import GRID_IMAGES, ModelMaterial, powers_of_images
from reslag_vae.evaluation.pictures.single import (
    DEVIATIONS,
    STRENGTHS,
    extremes,
    other_latents,
    translations,
    traversals,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PRINCIPAL = ("first principal axis of the codes", "second principal axis")

Pictures = Iterator[tuple[str, "Figure"]]


class RunMaterial(NamedTuple):
    """What the pictures show of one run.

    Attributes:
        material: images and latents computed from the run's model.
        class_names: names of the classes of its data.
        latent_dim: d, the number of latent dimensions.
        sigma2: rows of metrics.csv with the statistics of the variance; empty if the objective has
            none.
        rate: the run as a point of rate and distortion.
        pca: distortion of d principal components; None if there are not so many.
        has_mean: whether images are means of p(x|z); else they are samples, and Rec is not of them.
    """

    material: ModelMaterial
    class_names: list[str]
    latent_dim: int
    sigma2: list[dict[str, float]]
    rate: RatePoint
    pca: float | None
    has_mean: bool

    def titled(self, title: str) -> str:
        """Return a run's title, which says if its images are samples."""
        # First: pictures cut the end of what is long.
        return title if self.has_mean else f"samples: {title}"


def comparison(runs: dict[str, RunMaterial]) -> Pictures:
    """Yield name and picture of what is drawn in the same way of one run and of several."""
    first = next(iter(runs.values()))
    models = {run.titled(title): run.material for title, run in runs.items()}
    reconstructed = {title: model.reconstructions for title, model in models.items()}
    yield "reconstructions", pictures.reconstructions(first.material.originals, reconstructed)
    samples = {title: model.samples for title, model in models.items()}
    yield "samples", pictures.samples(samples)
    powers = {title: model.powers for title, model in models.items()}
    sides = first.material.originals.shape[-2:]
    yield (
        "power_spectra",
        pictures.power_spectra(ring_frequencies(*sides), first.material.original_powers, powers),
    )
    strips = {title: model.strip for title, model in models.items()}
    yield "interpolation", pictures.interpolation_strip(first.material.corners[:2], strips)
    squares = {title: model.square for title, model in models.items()}
    yield "interpolation_square", pictures.interpolation_grid(squares)
    yield from scatters(runs)
    rows = {title: run.sigma2 for title, run in runs.items() if run.sigma2}
    if rows:
        yield "sigma2", pictures.sigma2_curves(rows)
    rated = [run for run in runs.values() if run.has_mean]
    if len(rated) > 1:
        limits = {run.pca for run in rated}
        pca = limits.pop() if len(limits) == 1 else None
        yield "rate_distortion", pictures.rate_distortion([run.rate for run in rated], pca)


def scatters(runs: dict[str, RunMaterial]) -> Pictures:
    """Yield the pictures of codes in two dimensions, coloured by class."""
    first = next(iter(runs.values()))
    labels, names = first.material.labels, first.class_names
    plane = {
        title: run.material.plane for title, run in runs.items() if run.material.plane is not None
    }
    if plane:
        dimensions = {run.latent_dim for run in runs.values()}
        axes = pictures.axis_names(first.latent_dim) if len(dimensions) == 1 else PRINCIPAL
        yield "posterior", scatter(plane, labels, names, axes)
    tsne = {
        title: run.material.neighbours
        for title, run in runs.items()
        if run.material.neighbours is not None
    }
    if tsne:
        count = len(next(iter(tsne.values())))
        axes = ("t-SNE 1", "t-SNE 2")
        yield "tsne", scatter(tsne, labels[:count], names, axes)


def scatter(
    points: dict[str, Tensor], labels: Tensor, names: list[str], axes: tuple[str, str]
) -> "Figure":
    """Draw codes in two dimensions; images without a class are left out, unless none has any.

    Args:
        points: (N, 2) by title.
        labels: (N,) class numbers, -1 of an image without.
        names: names of the classes.
        axes: names of the two dimensions.
    """
    known = labels >= 0
    if not known.any():
        names, known = [], ~known
    own = {title: coordinates[known] for title, coordinates in points.items()}
    return pictures.posterior_scatter(own, labels[known], names, axes)


def without_latents(subject: Subject, title: str) -> Pictures:
    """Yield name and picture of what is drawn of a model without latents."""
    images = decode(subject.told, subject.prior_latents[:GRID_IMAGES])
    yield "samples", pictures.samples({title: {"prior": images}})
    frequencies = ring_frequencies(*subject.model.image_shape[1:])
    originals = subject.reference_spectra.radial.mean(0)
    yield (
        "power_spectra",
        pictures.power_spectra(frequencies, originals, {title: powers_of_images(subject)}),
    )


def single_model(subject: Subject, attributes: Sequence[str]) -> Pictures:
    """Yield name and picture of what is drawn of a single model only."""
    if not subject.codes.usage:  # one number of a code's vector moves nothing by itself
        first = subject.images.part(torch.tensor([0])).images[0]
        yield "traversals", pictures.traversals(first, DEVIATIONS, traversals(subject))
    if subject.model.likelihood.has_mean:
        yield "extremes", pictures.extremes(*extremes(subject))
    else:
        # The best of samples is the luckiest one, and cannot be drawn again.
        yield "other_latents", pictures.reconstructions(*other_latents(subject))
    if subject.model.condition is not None:
        yield "samples_by_condition", told.samples_by_condition(subject)
        yield "exchanges", told.exchanges(subject)
    rows = translations(subject, attributes)
    if rows:
        yield "translations", pictures.translations(STRENGTHS, rows)
