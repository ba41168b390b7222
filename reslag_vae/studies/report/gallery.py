"""The same originals under every system, a line for each."""

import torch

from reslag_vae.evaluation.pictures.blocks import draw_blocks, labelled_lines
from reslag_vae.evaluation.pictures.figures import png
from reslag_vae.runs.folder import drawn_images_file
from reslag_vae.runs.formats import read_arrays
from reslag_vae.studies.report.pictures import NOT_PASSED_ON
from reslag_vae.studies.report.systems import Systems


def gallery(group: Systems) -> bytes | None:
    """Return a PNG of the originals and of each system's reconstructions of them.

    A system takes part if the first of its runs has kept what it drew of the same validation images
    as most. It is None if fewer than two have, or if the pictures may not be passed on.
    """
    if group.data in NOT_PASSED_ON:
        return None
    by_originals: dict[bytes, list[tuple[str, torch.Tensor]]] = {}
    for system in group.systems:
        images = read_arrays(drawn_images_file(system.row.runs[0].folder))
        if {"originals", "reconstructions"} <= images.keys():
            lines = by_originals.setdefault(
                images["originals"].tobytes(),
                [("original", torch.from_numpy(images["originals"]))],
            )
            lines.append((system.row.title, torch.from_numpy(images["reconstructions"])))
    most = max(by_originals.values(), key=len, default=[])
    return png(draw_blocks([labelled_lines(most)])) if len(most) > 2 else None
