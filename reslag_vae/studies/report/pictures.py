"""The pictures of a report: originals once, and below them what each row makes of them."""

import base64
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from reslag_vae.evaluation import pictures
from reslag_vae.evaluation.pictures.figures import png
from reslag_vae.runs.folder import drawn_images_file
from reslag_vae.runs.formats import read_arrays
from reslag_vae.studies.report.rows import Row

PICTURES = {
    "reconstructions": "Reconstructions of validation images",
    "prior_samples": "Samples of the prior",
}

# Data sets whose licence forbids to redistribute pictures: the page leaves their originals out.
NOT_PASSED_ON = ("celeba",)

# Samples are drawn in lines of so many.
LINE = 8


def pictures_of(rows: Sequence[Row], name: str) -> list[tuple[str, str]]:
    """Return captions and pictures, as data URIs, of the first seed of each row that has any.

    Rows whose runs have drawn the same images share a picture; a run of an earlier version, which
    has kept no images, has its own.

    Args:
        rows: rows of one data set, which may be shown.
        name: `reconstructions` or `prior_samples`.
    """
    if name == "reconstructions" and rows[0].data in NOT_PASSED_ON:
        return []
    alone: list[tuple[str, str]] = []
    shared: dict[object, dict[str, dict[str, np.ndarray]]] = {}
    for row in rows:
        folder = row.runs[0].folder
        images = read_arrays(drawn_images_file(folder))
        path = row.runs[0].picture(name)
        if name in images and "originals" in images and len(images[name]) % LINE == 0:
            key = images["originals"].tobytes() if name == "reconstructions" else images[name].shape
            shared.setdefault(key, {})[row.title] = images
        elif path is not None:
            alone.append((row.title, picture_uri(path)))
    return [together(models, name) for models in shared.values()] + alone


def together(models: dict[str, dict[str, np.ndarray]], name: str) -> tuple[str, str]:
    """Return caption and picture of several rows.

    Args:
        models: images by their kind, by title of the row.
        name: kind of the images that are drawn.
    """
    drawn = {title: unit(images[name]) for title, images in models.items()}
    if name == "reconstructions":
        originals = torch.from_numpy(next(iter(models.values()))["originals"])
        figure = pictures.reconstructions(originals, drawn)
    else:
        figure = pictures.samples({title: {"": images} for title, images in drawn.items()})
    return "; ".join(models), data_uri(png(figure), "image/png")


def unit(images: np.ndarray) -> torch.Tensor:
    """Return uint8 images in [0, 1]."""
    return torch.from_numpy(images).float() / 255


def picture_uri(path: Path) -> str:
    """Return a PNG file as a data URI."""
    return data_uri(path.read_bytes(), "image/png")


def data_uri(content: bytes, kind: str) -> str:
    """Return a content as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
