"""What a served page shows, as HTML: of the pictures that were picked, by every model."""

import html
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reslag_vae._runtime.errors import UserError, printable
from reslag_vae.apply.reading import read_batches
from reslag_vae.apply.scale import refuse_unknown_scale
from reslag_vae.apply.subject import Subject
from reslag_vae.evaluation.pictures.palette import COLORS
from reslag_vae.explore.contents import places_of, taken, trained_values
from reslag_vae.explore.explorer import Explorer
from reslag_vae.explore.file import as_json
from reslag_vae.explore.sheets import data_uri, sheet_of

# Nearest pictures that are shown, images on a line and along a square, and factors of a sum
NEIGHBOURS, STEPS, SIDE = 12, 9, 6
STRENGTHS = (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5)

# Of the sliders, in standard deviations
REACH, STEP = 3.0, 0.05

# Largest side of a picture in the map, in pixels
THUMBNAIL = 64

NOTHING = "nothing"
OWN_CLASS = "its own class"


class Item(NamedTuple):
    """A picture that was picked.

    Attributes:
        name: its name.
        image: (C, H, W) uint8.
        position: its number among the pictures; None of one that was brought along.
    """

    name: str
    image: Tensor
    position: int | None = None


class Panels:
    """The parts of a page of some models.

    Args:
        found: each model with its explorer, at least one, all of the same pictures.
    """

    def __init__(self, found: Sequence[tuple[Subject, Explorer]]) -> None:
        self.subjects = [subject for subject, _ in found]
        self.explorers = [explorer for _, explorer in found]
        self.pictures = self.explorers[0].pictures

    @property
    def quick(self) -> bool:
        """Whether every model decodes an image at once."""
        return all(explorer.quick for explorer in self.explorers)

    # Picked pictures

    def item(self, position: int) -> Item:
        """Return a picture by its number."""
        name, label = self.pictures.names[position], self.pictures.label(position)
        return Item(f"{name}: {label}" if label else name, self.pictures.images[position], position)

    def brought(self, path: Path) -> Item:
        """Return a picture that a user brings along, fitted as in training.

        Raises:
            UserError: it cannot be read, or nobody knows which value of it is white.
        """
        subject = self.subjects[0]
        refuse_unknown_scale(subject, [path], [path.name])
        (batch,) = read_batches([path], subject.decode, 1, subject.model.likelihood.binary)
        if batch.images is None:
            reason = batch.failures[0].replace(str(path), path.name)
            raise UserError(printable(f"{path.name} cannot be read: {reason}."))
        return Item(path.name, batch.images[0])

    def point(self, model: int, item: Item) -> Tensor:
        """Return the (d + K,) point of a picture by one of the models."""
        explorer = self.explorers[model]
        if item.position is None:
            return explorer.point_of(item.image)
        return explorer.points[item.position]

    # The parts of a page

    def heading(self, model: int) -> str:
        """Return what is to be known of a model and its pictures."""
        explorer = self.explorers[model]
        sentences = [explorer.facts, *explorer.notes, self.pictures.source, *self.pictures.notes]
        lines = " ".join(f"{html.escape(text.rstrip('.'))}." for text in sentences)
        return f"<h1>{html.escape(explorer.title)}</h1><p>{lines}</p>"

    def sheet(self) -> str:
        """Return the pictures of the map as JSON."""
        return as_json(sheet_of(self.pictures.images, THUMBNAIL)._asdict())

    def map(self, model: int, name: str, first: int = 0, second: int = 1) -> str:
        """Return the map of a model as JSON: see `Explorer.map`."""
        return as_json(
            {
                "places": places_of(self.explorers[model].map(name, first, second)),
                "labels": self.pictures.labels.tolist(),
                "classes": list(self.pictures.classes),
                "names": list(self.pictures.names),
                "trained": trained_values(self.pictures),
                "colors": COLORS,
            }
        )

    def picked(self, item: Item) -> str:
        """Return a picture beside its reconstruction by every model."""
        shown = [figure(item.image, item.name)]
        for model, explorer in enumerate(self.explorers):
            several = len(self.explorers) > 1
            title = f"decoded by {explorer.title}" if several else "reconstruction"
            shown.append(figure(explorer.image(self.point(model, item)), title))
        return pictures(shown)

    def neighbours(self, model: int, item: Item) -> str:
        """Return the nearest pictures by the codes of a model, as buttons."""
        found = self.explorers[model].neighbours(self.point(model, item), NEIGHBOURS, item.position)
        buttons = "".join(
            f'<button type="button" data-position="{position}" title="{html.escape(name)}">'
            f"{picture(image, name)}</button>"
            for position, name, image in map(self.named, found.positions[0].tolist())
        )
        return row("Nearest codes", buttons)

    def named(self, position: int) -> tuple[int, str, Tensor]:
        """Return the number of a picture, its name with its class, and its image."""
        item = self.item(position)
        return position, item.name, item.image

    def starts(self, model: int, item: Item) -> list[float]:
        """Return where the sliders of a model stand for a picture, as far as they can show it."""
        places = self.explorers[model].coordinates(self.point(model, item)[None])[0]
        return [shown_place(place) for place in places.tolist()]

    def reconstructed(self, model: int, item: Item) -> str:
        """Return the reconstruction of a picture by one of the models."""
        return picture(self.explorers[model].image(self.point(model, item)), "reconstruction")

    def moved(self, model: int, item: Item, values: Sequence[float]) -> str:
        """Return the image of a picture's code with the sliders at some values.

        Those that stand where they stood leave their axis as it is, which they may not show.

        Args:
            model: number of the model.
            item: the picture.
            values: places of the sliders, of which there may be more than axes.
        """
        explorer = self.explorers[model]
        both = zip(values, self.starts(model, item), strict=False)
        places = {
            axis: value for axis, (value, start) in enumerate(both) if abs(value - start) > STEP / 2
        }
        code = explorer.moved(self.point(model, item), places)
        return picture(explorer.image(code), "decoded")

    def between(self, items: Sequence[Item], corners: int) -> str:
        """Return what lies between the last two or four pictures that were picked."""
        if len(items) < corners:
            missing = corners - len(items)
            return f"<p>Pick {missing} more picture{'s' if missing > 1 else ''} on the map.</p>"
        chosen = items[-corners:]
        rows = [row("picked", pictures(figure(item.image, item.name) for item in chosen))]
        for model, explorer in enumerate(self.explorers):
            codes = torch.stack([self.point(model, item) for item in chosen])
            steps = STEPS if corners == 2 else SIDE
            images = explorer.interpolate(codes, steps)
            flat = images if corners == 2 else images.flatten(0, 1)
            rows.append(row(explorer.title, grid(flat, steps)))
        return "".join(rows)

    @property
    def summands(self) -> list[str]:
        """The names of what may be added to a code."""
        return list(self.explorers[0].vectors)

    def sum(self, item: Item, add: str, take: str) -> str:
        """Return what a picture becomes as a vector is added and another taken away.

        Args:
            item: the picture.
            add: one of `summands`.
            take: one of them, `NOTHING`, or `OWN_CLASS`, which is nothing for an attribute.
        """
        rows = []
        for model, explorer in enumerate(self.explorers):
            away = None if take == NOTHING else take
            if take == OWN_CLASS:
                away = None if item.position is None else taken(explorer, item.position, add)
            code = self.point(model, item)
            images = explorer.arithmetic(code, add, away, STRENGTHS)
            captions = [f"× {strength:g}".replace("-", "−") for strength in STRENGTHS]
            rows.append(row(explorer.title, pictures(map(figure, images, captions))))
        return "".join(rows)

    @property
    def samplers(self) -> list[str]:
        """The names of the samplers that all models have."""
        common = set.intersection(*(set(explorer.samplers) for explorer in self.explorers))
        return [name for name in self.explorers[0].samplers if name in common]

    def samples(self, sampler: str, count: int, temperature: float, seed: int) -> str:
        """Return samples of every model, by the same seed."""
        rows = []
        for explorer in self.explorers:
            images = explorer.samples(sampler, count, temperature, seed)
            rows.append(row(explorer.title, grid(images, min(count, 8))))
        return "".join(rows)


def shown_place(place: float) -> float:
    """Return the place nearest to one that a slider can show."""
    return round(STEP * round(min(max(place, -REACH), REACH) / STEP), 2)


def picture(image: Tensor, label: str) -> str:
    """Return a (C, H, W) uint8 image as a tag."""
    return f'<img src="{data_uri(image)}" alt="{html.escape(label)}">'


def figure(image: Tensor, caption: str) -> str:
    """Return an image with a line below it."""
    text = html.escape(caption)
    return f"<figure>{picture(image, caption)}<figcaption>{text}</figcaption></figure>"


def pictures(figures: Any) -> str:
    """Return figures side by side."""
    return f'<div class="pictures">{"".join(figures)}</div>'


def row(title: str, content: str) -> str:
    """Return a part of a panel below its title."""
    return f"<h3>{html.escape(title)}</h3>{content}"


def grid(images: Tensor, columns: int) -> str:
    """Return (N, C, H, W) uint8 images in rows as one picture."""
    lines = math.ceil(len(images) / columns)
    height, width = images.shape[2:]
    white = images.new_full((images.shape[1], lines * (height + 1), columns * (width + 1)), 255)
    for number, image in enumerate(images):
        top, left = (number // columns) * (height + 1), (number % columns) * (width + 1)
        white[:, top : top + height, left : left + width] = image
    label = f"{len(images)} decoded images"
    return f'<div class="even" style="max-width:{columns * 84}px">{picture(white, label)}</div>'
