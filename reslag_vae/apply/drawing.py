"""The neighbours of pictures and the samples of a model: tables, pictures and grids of these."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from reslag_vae._runtime.errors import ConfigError, UserError
from reslag_vae._runtime.files import WriteError
from reslag_vae.apply.neighbours import Neighbours, nearest
from reslag_vae.apply.outputs import SHOWN, save_pictures
from reslag_vae.apply.own_samplers import own_sampler
from reslag_vae.apply.report import begin
from reslag_vae.apply.request import (
    NEIGHBOURS,
    NEIGHBOURS_CSV,
    NEIGHBOURS_PNG,
    Request,
    samples_in,
)
from reslag_vae.apply.samplers import PriorSampler, Sampler, fitted
from reslag_vae.apply.subject import Subject
from reslag_vae.apply.tables import open_table
from reslag_vae.apply.told import told_of_samples
from reslag_vae.evaluation.iteration import chunk_size, of_rows
from reslag_vae.evaluation.pictures.blocks import Block, draw_blocks
from reslag_vae.evaluation.pictures.figures import save_figure
from reslag_vae.evaluation.progress import Progress
from reslag_vae.likelihoods.pixels import eight_bits, unit_interval

# Pictures whose neighbours are written at a time
LINES = 4096

# Samples in a grid at most, and in a line of it
GRID, COLUMNS = 64, 8


def write_neighbours(
    request: Request,
    subject: Subject,
    files: Sequence[Path],
    names: Sequence[str],
    codes: np.ndarray,
    progress: Progress,
) -> None:
    """Write the nearest neighbours of each picture as CSV, and those of some as a grid.

    Args:
        request: the request.
        subject: the model.
        files: paths of the N pictures.
        names: their names.
        codes: (N, d) their codes.
        progress: shows how far the work is.

    Raises:
        ConfigError: fewer than two pictures can be read.
    """
    if len(files) < 2:
        raise ConfigError(
            f"--neighbours {request.neighbours}: takes at least 2 pictures, and {len(files)} can "
            "be read."
        )
    # Each of as many as were asked for, or of all others where some could not be read.
    found = nearest(codes, min(request.neighbours, len(files) - 1), progress)
    every, count = np.array(names), found.positions.shape[1]
    begin(request, NEIGHBOURS)
    with open_table(request.out / NEIGHBOURS_CSV) as add:
        for rows in np.array_split(np.arange(len(files)), -(-len(files) // LINES)):
            columns = {
                "rank": np.tile(np.arange(1, count + 1), len(rows)),
                "neighbour": every[found.positions[rows]].reshape(-1),
                "distance": found.distances[rows].reshape(-1),
            }
            add(every[np.repeat(rows, count)].tolist(), columns)
    draw_neighbours(request.out / NEIGHBOURS_PNG, subject, files, names, found)


def draw_neighbours(
    path: Path,
    subject: Subject,
    files: Sequence[Path],
    names: Sequence[str],
    found: Neighbours,
) -> None:
    """Draw some pictures, evenly spread, each with its nearest neighbours to the right."""
    chosen = np.linspace(0, len(files) - 1, min(SHOWN, len(files))).round().astype(int)
    positions = found.positions[chosen, :SHOWN]
    lines = []
    for place, own in zip(chosen, positions, strict=True):
        pixels = [subject.decode(files[position]).pixels for position in (place, *own)]
        lines.append(unit_interval(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)))
    above = ["picture", *map(str, range(1, 1 + positions.shape[1]))]
    rows = [names[place] for place in chosen]
    save_figure(draw_blocks([Block(torch.stack(lines), rows=rows, above=above)]), path)


def draw_samples(
    request: Request, subject: Subject, codes: np.ndarray | None, progress: Progress
) -> list[str]:
    """Write samples, each as a picture, and the first of them as a grid.

    Args:
        request: the request.
        subject: the model.
        codes: (N, d) codes that the sampler is fitted to; None for the prior, and for samplers
            that the model brings along.
        progress: shows how far the work is.

    Returns:
        sentences on what is missing, and on a temperature that is not the model's own.

    Raises:
        RunError: the samplers that the model brings along are damaged.
        UserError: the sampler cannot be fitted or draws no finite numbers, the model is not told
            what its samples are to be, or a file cannot be written.
    """
    model = subject.model
    own = told_of_samples(model, request.given, request.sample)
    sampler, notes = sampler_of(request, subject, codes, progress)
    latents = sampler(request.sample, request.seed, request.temperature).to(model.parameter)
    if not latents.isfinite().all():
        raise UserError(f"--sampler {request.sampler}: draws no finite numbers.")
    generator = generator_of_pixels(request.seed)
    folder, digits = request.out / request.samples, len(str(request.sample))
    begin(request, request.samples)
    remove_samples(folder)
    first: list[Tensor] = []
    with progress("samples", request.sample) as advance:
        size = chunk_size(model.dimensions, latents.device)
        for start in range(0, request.sample, size):
            part = latents[start : start + size]
            rows = slice(start, start + len(part))
            images = eight_bits(of_rows(own, rows).image_of(part, generator)).cpu()
            numbers = range(start + 1, start + len(part) + 1)
            save_pictures([folder / f"{number:0{digits}d}.png" for number in numbers], images)
            first += images[: max(0, GRID - start)]
            advance(len(part))
    save_figure(draw_blocks([grid_of(torch.stack(first))]), folder.with_suffix(".png"))
    if request.temperature != 1:
        notes = [*notes, f"samples are drawn at temperature {request.temperature:g}"]
    return notes


def generator_of_pixels(seed: int) -> torch.Generator:
    """Return the generator of images that are samples of p(x|z).

    Its numbers are others than those of the same seed, which the latents are made of: from the same
    ones an image would depend on its latent twice.

    Args:
        seed: seed of the samples.
    """
    latents = torch.Generator().manual_seed(seed)
    return torch.Generator().manual_seed(int(torch.randint(2**32, (), generator=latents)))


def remove_samples(folder: Path) -> None:
    """Remove the samples of an earlier request, of which there may have been more.

    Args:
        folder: folder of samples, which need not be there.

    Raises:
        WriteError: one cannot be removed.
    """
    try:
        for path in samples_in(folder):
            path.unlink()
    except OSError as error:
        raise WriteError(f"{error.filename} cannot be removed: {error.strerror}.") from None


def sampler_of(
    request: Request, subject: Subject, codes: np.ndarray | None, progress: Progress
) -> tuple[Sampler, list[str]]:
    """Return the sampler of a request, and sentences on what is missing: see `draw_samples`."""
    if request.sampler == "prior":
        return PriorSampler(subject.model), []
    if codes is None:
        return own_sampler(request.sampler, subject.folder, subject.model, progress, subject.best)
    return fitted(request.sampler, codes, "that can be read", progress), []


def grid_of(images: Tensor) -> Block:
    """Return lines of (N, C, H, W) uint8 images, the last of them filled with white."""
    columns = min(COLUMNS, len(images))
    lines = -(-len(images) // columns)
    white = torch.full((lines * columns - len(images), *images.shape[1:]), 255, dtype=torch.uint8)
    filled = torch.cat([images, white]).view(lines, columns, *images.shape[1:])
    return Block(unit_interval(filled.flatten(0, 1)).view(filled.shape))
