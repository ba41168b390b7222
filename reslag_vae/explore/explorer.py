"""What a trained model makes of pictures, as numbers and images: no page knows more."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from reslag_vae._runtime.errors import UserError
from reslag_vae._runtime.packages import is_installed
from reslag_vae.apply.neighbours import Neighbours, as_doubles, nearest, nearest_to
from reslag_vae.apply.request import FEWEST, SAMPLERS
from reslag_vae.apply.samplers import PriorSampler, Sampler, fitted
from reslag_vae.evaluation.codes import Codes, decode_alike, encode
from reslag_vae.evaluation.iteration import chunks, device_of, evaluating, posterior_means
from reslag_vae.evaluation.pictures.translation import (
    attribute_directions,
    class_mean_codes,
    translate,
)
from reslag_vae.evaluation.progress import Progress, silent
from reslag_vae.explore.axes import FEWEST_OF_TSNE, axes_of, pca_map, tsne_map
from reslag_vae.explore.pictures import Pictures
from reslag_vae.explore.told import conditions_of, conditions_of_one
from reslag_vae.likelihoods.pixels import eight_bits
from reslag_vae.models import GenerativeModel
from reslag_vae.objectives import Objective

# Numbers of a code, above which no density is fitted to codes: it takes minutes, and more pictures.
MOST_FITTED = 512


class Explorer:
    """A model and the codes of pictures.

    Codes are (d,) posterior means of all levels on the CPU; images are uint8. What a conditional
    model is told of a picture follows its code: a point is (d + K,) numbers, of others its code.

    Args:
        title: name of the model on a page.
        model: the model, which has latents.
        pictures: pictures of its shape.
        progress: shows how far the encoding is.
        samplers: samplers that the model brings along, by name.
        objective: the objective that it was trained with; None if it is not known.

    Attributes:
        codes: the codes of the pictures; their `means` are inferred without noise at any level.
        conditions: (N, K) what a conditional model is told of the pictures; None of others.
        points: (N, d + K) their points.
        axes: directions that sliders follow.
        vectors: (d + K,) vectors by name: of a class its mean point less the mean of all, of an
            attribute the mean point with it less the mean without it.
    """

    def __init__(
        self,
        title: str,
        model: GenerativeModel,
        pictures: Pictures,
        progress: Progress = silent,
        samplers: Mapping[str, Sampler] = MappingProxyType({}),
        objective: Objective | None = None,
    ) -> None:
        self.title, self.model, self.pictures, self.objective = title, model, pictures, objective
        self.conditions = conditions_of(model, pictures, objective)
        self.codes = codes_of(self.told(self.conditions), pictures.images, progress)
        self.points = points_of(self.codes.means, self.conditions)
        self.axes = axes_of(self.codes)
        self.vectors = vectors_of(self.points, pictures)
        self._maps: dict[str, Tensor] = {}
        self._samplers: dict[str, Sampler] = {"prior": PriorSampler(model), **samplers}

    @property
    def quick(self) -> bool:
        """Whether an image is decoded at once: not pixel after pixel."""
        return self.model.likelihood.has_mean

    @property
    def facts(self) -> str:
        """The model and its latent in a few words."""
        active = int(self.codes.active.sum())
        count = self.model.latent_dim
        return f"{self.model.architecture}, {active:,} of {count:,} latent dimensions active"

    @property
    def notes(self) -> list[str]:
        """Sentences on what is special about the model's latents and images."""
        notes = []
        if not self.quick:
            notes.append(
                "The model draws an image pixel after pixel: what is decoded is a sample, always "
                "by the same random numbers, and takes seconds."
            )
        if self.codes.usage:
            notes.append(
                "The latents are discrete codes: a slider follows a principal direction of them, "
                "and the nearest codes are decoded."
            )
        elif len(self.model.level_dims) > 1:
            notes.append(
                "The latents have levels, the first one on top: a slider moves one number of one "
                "level, and all others stay."
            )
        if self.model.condition is not None:
            notes.append(
                f"The model is told {self.model.condition.words}: sliders keep that, paths and "
                "arithmetic change it with the code, and nearest codes need not be of one class."
            )
        if not self.codes.active.any():
            notes.append("No latent dimension is active: the code says nothing of a picture.")
        return notes

    # Pictures and codes

    def told(self, conditions: Tensor | None) -> GenerativeModel:
        """Return the model, told (B, K) numbers of B pictures if it is conditional."""
        if conditions is None:
            return self.model
        return self.model.told(conditions.to(self.model.parameter))

    def point_of(self, image: Tensor) -> Tensor:
        """Return the (d + K,) point of a (C, H, W) uint8 image, of the likeliest class."""
        conditions = conditions_of_one(self.model, image, self.conditions, self.objective)
        return points_of(self.told(conditions).encode(image[None]).cpu(), conditions)[0]

    def images(self, points: Tensor) -> Tensor:
        """Return the (B, C, H, W) images of (B, d + K) points."""
        codes, conditions = points.tensor_split([self.model.latent_dim], dim=1)
        told = self.told(conditions if conditions.shape[1] else None)
        return eight_bits(decode_alike(told, codes))

    def image(self, point: Tensor) -> Tensor:
        """Return the (C, H, W) image of a (d + K,) point."""
        return self.images(point[None])[0]

    def neighbours(self, point: Tensor, count: int, own: int | None = None) -> Neighbours:
        """Return the (1, k) pictures whose codes are nearest to that of a point.

        Args:
            point: the point.
            count: number of neighbours; of fewer pictures all.
            own: number of the picture whose code it is, which is then left out.
        """
        most = self.pictures.size - (own is not None)
        means = self.codes.means.numpy()
        given = as_doubles(point[None, : means.shape[1]].numpy())
        return nearest_to(given, means, min(count, most), own)

    def all_neighbours(self, count: int) -> np.ndarray:
        """Return the (N, k) numbers of each picture's nearest others, as many as there are."""
        most = min(count, self.pictures.size - 1)
        if not most:
            return np.zeros((self.pictures.size, 0), dtype=int)
        return nearest(self.codes.means.numpy(), most).positions

    # Maps

    @property
    def maps(self) -> tuple[str, ...]:
        """The names of the maps that there are."""
        many = self.pictures.size >= FEWEST_OF_TSNE and self.model.latent_dim > 1
        tsne = many and is_installed("sklearn")
        return ("PCA", "t-SNE", "two axes") if tsne else ("PCA", "two axes")

    def map(self, name: str, first: int = 0, second: int = 1) -> Tensor:
        """Return the (N, 2) places of the pictures' codes.

        Args:
            name: one of `maps`.
            first: number of the axis to the right, of two axes.
            second: number of the axis upwards, of two axes.
        """
        if name == "two axes":
            places = self.coordinates(self.codes.means)
            # A latent of one dimension lies on a line.
            upwards = places[:, second] if second < len(self.axes) else torch.zeros(len(places))
            return torch.stack([places[:, first], upwards], dim=1)
        if name not in self._maps:
            means = self.codes.means
            self._maps[name] = pca_map(means) if name == "PCA" else tsne_map(means)
        return self._maps[name]

    # Sliders

    def coordinates(self, points: Tensor) -> Tensor:
        """Return the (B, A) places of the codes of (B, d + K) points along the axes.

        They are in standard deviations of the pictures' codes from their mean.
        """
        directions = torch.stack([axis.direction for axis in self.axes]).to(points)
        centres = torch.tensor([axis.centre for axis in self.axes])
        spreads = torch.tensor([axis.spread for axis in self.axes])
        return (points[:, : directions.shape[1]] @ directions.T - centres) / spreads

    def moved(self, point: Tensor, places: Mapping[int, float]) -> Tensor:
        """Return a (d + K,) point, moved to other places along some axes; the others stay.

        Args:
            point: the point.
            places: places as those of `coordinates`, by the number of the axis.
        """
        own, moved = self.coordinates(point[None])[0].tolist(), point.clone()
        for number, place in places.items():
            axis = self.axes[number]
            moved[: len(axis.direction)] += (place - own[number]) * axis.spread * axis.direction
        return moved

    def traverse(self, point: Tensor, axis: int, values: Sequence[float]) -> Tensor:
        """Return the (S, C, H, W) images of a point whose place along one axis takes values."""
        steps = torch.tensor(values) - self.coordinates(point[None])[0, axis]
        own, moved = self.axes[axis], point.repeat(len(values), 1)
        moved[:, : len(own.direction)] += steps[:, None] * own.spread * own.direction
        return self.images(moved)

    # Paths and sums

    def interpolate(self, ends: Tensor, steps: int) -> Tensor:
        """Return the (steps, C, H, W) images between two points, or (steps, steps, C, H, W).

        Args:
            ends: (2, d + K) points of the ends of a line; or (4, d + K), of the corners of a
                square, the upper two first.
            steps: number of images along a side, the ends included.
        """
        weights = torch.linspace(0, 1, steps)[:, None]
        line = ends[0::2, None].lerp(ends[1::2, None], weights)
        if len(ends) == 2:
            return self.images(line[0])
        square = line[0].lerp(line[1], weights[:, None])
        found = self.images(square.flatten(0, 1))
        return found.view(steps, steps, *found.shape[1:])

    def arithmetic(
        self, point: Tensor, add: str | None, take: str | None, strengths: Sequence[float]
    ) -> Tensor:
        """Return the (S, C, H, W) images of a point with vectors added and taken away.

        Args:
            point: the (d + K,) point.
            add: name of the vector that is added; None for none.
            take: name of the vector that is taken away; None for none.
            strengths: factors of their difference.
        """
        direction = torch.zeros_like(point)
        if add is not None:
            direction = direction + self.vectors[add]
        if take is not None:
            direction = direction - self.vectors[take]
        return self.images(translate(point, direction, strengths))

    # Samples

    @property
    def samplers(self) -> tuple[str, ...]:
        """The names of the samplers that there are, or that the pictures are enough to fit."""
        return tuple(name for name in SAMPLERS if self.has(name) or self.can_fit(name))

    def has(self, sampler: str) -> bool:
        """Return whether a sampler need not be fitted, or is already."""
        return sampler in self._samplers

    def can_fit(self, sampler: str) -> bool:
        """Return whether a sampler can be fitted to the codes, and quickly enough."""
        enough = self.pictures.size >= FEWEST[sampler] and self.model.latent_dim <= MOST_FITTED
        return enough and (sampler != "mixture" or is_installed("sklearn"))

    def samples(self, sampler: str, count: int, temperature: float = 1.0, seed: int = 0) -> Tensor:
        """Return (count, C, H, W) images of latents that are drawn.

        Args:
            sampler: one of `samplers`; it is fitted to the pictures' codes when first asked for,
                unless the model brings it along.
            count: number of images.
            temperature: factor of the standard deviations.
            seed: seed of the random numbers.

        Raises:
            UserError: the numbers that come out are not finite.
        """
        if not self.has(sampler):
            codes = self.codes.latents.numpy()
            self._samplers[sampler] = fitted(sampler, codes, "that are shown")
        with torch.no_grad():
            latents = self._samplers[sampler](count, seed, temperature)
        if not latents.isfinite().all():
            raise UserError(f"The {sampler} draws no finite numbers at temperature {temperature}.")
        conditions = self.model.for_samples(count).conditions
        if conditions is None and self.conditions is not None:
            conditions = self.conditions[torch.arange(count) % self.pictures.size]
        return self.images(points_of(latents, conditions))


def points_of(codes: Tensor, conditions: Tensor | None) -> Tensor:
    """Return the (B, d + K) points of (B, d) codes and of what is told of their pictures."""
    return codes if conditions is None else torch.cat([codes, conditions.to(codes)], dim=1)


def codes_of(model: GenerativeModel, images: Tensor, progress: Progress) -> Codes:
    """Return the codes of images, with the means that `GenerativeModel.encode` returns."""
    codes = encode(model, images, progress=progress)
    if len(model.level_dims) == 1:
        return codes
    # Those of lower levels are of samples of the levels above.
    with evaluating(model):
        parts = [posterior_means(model, own).cpu() for own in chunks(images, device_of(model))]
    return codes._replace(means=torch.cat(parts))


def vectors_of(codes: Tensor, pictures: Pictures) -> dict[str, Tensor]:
    """Return the (d,) vectors of the classes and attributes of pictures, by name.

    Those of which all or none of the pictures are have none.
    """
    names, rows = list(pictures.attributes), []
    if pictures.members is not None:
        rows.append(attribute_directions(codes, pictures.members))
    if pictures.classes:
        names += pictures.classes
        means = class_mean_codes(codes, pictures.labels, len(pictures.classes))
        rows.append(means - codes.mean(0))
    found = zip(names, torch.cat(rows), strict=True) if rows else ()
    return {name: vector for name, vector in found if vector.isfinite().all()}
