"""The same originals under every system, a line for each."""

from typing import NamedTuple

import torch

from reslag_vae.evaluation.pictures.blocks import draw_blocks, labelled_lines
from reslag_vae.evaluation.pictures.figures import png
from reslag_vae.runs.folder import drawn_images_file
from reslag_vae.runs.formats import read_arrays
from reslag_vae.studies.report.pictures import NOT_PASSED_ON
from reslag_vae.studies.report.systems import System, Systems, prior_of, rank


class Gallery(NamedTuple):
    """The same originals under several systems.

    Attributes:
        picture: PNG of the originals and of each system's reconstructions of them.
        missing: titles of the systems that are not in it.
    """

    picture: bytes
    missing: list[str]


class Drawn(NamedTuple):
    """What a system's row has drawn.

    Attributes:
        title: title of the row.
        originals: (K, C, H, W) uint8 validation images.
        reconstructions: (K, C, H, W) uint8 reconstructions of them.
    """

    title: str
    originals: torch.Tensor
    reconstructions: torch.Tensor


def gallery(group: Systems) -> Gallery | None:
    """Return the originals under each system that has kept what it drew of them.

    The originals are those of which most systems have; of a system, that row is drawn which is the
    best on validation images among those whose first run has them. It is None if fewer than two
    systems have any, or if the pictures may not be passed on.
    """
    if group.data in NOT_PASSED_ON:
        return None
    kept = [drawn_by(system, group) for system in group.systems]
    known = {key: own.originals for each in kept for key, own in each.items()}
    most = max(known, key=lambda key: sum(key in each for each in kept), default=b"")
    drawn = [each[most] for each in kept if most in each]
    if len(drawn) < 2:
        return None
    lines = [(own.title, own.reconstructions) for own in drawn]
    picture = png(draw_blocks([labelled_lines([("original", known[most]), *lines])]))
    systems = zip(group.systems, kept, strict=True)
    return Gallery(picture, [own.row.title for own, each in systems if most not in each])


def drawn_by(system: System, group: Systems) -> dict[bytes, Drawn]:
    """Return what a system's rows have drawn, of the same originals the best row's."""
    found: dict[bytes, Drawn] = {}
    rows = [row for row, _ in group.candidates[system.row.model, prior_of(system.row)]]
    for row in sorted(rows, key=lambda own: rank(own, "val"), reverse=True):
        images = read_arrays(drawn_images_file(row.runs[0].folder))
        if {"originals", "reconstructions"} <= images.keys():
            own = Drawn(
                row.title,
                torch.from_numpy(images["originals"]),
                torch.from_numpy(images["reconstructions"]),
            )
            found.setdefault(images["originals"].tobytes(), own)
    return found
