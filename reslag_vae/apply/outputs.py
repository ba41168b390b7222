"""What becomes of each batch of pictures: tables, reconstructions and codes that are kept."""

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from reslag_vae._runtime.files import write_atomically
from reslag_vae.apply.calibration import Calibration
from reslag_vae.apply.codes import Encoded
from reslag_vae.apply.request import REPORT
from reslag_vae.apply.scores import PERCENTILE, Scorer, auroc, percentiles
from reslag_vae.apply.tables import Add, Spool
from reslag_vae.evaluation.iteration import noise_of_levels
from reslag_vae.evaluation.pictures.figures import save_figure
from reslag_vae.evaluation.pictures.grids import reconstructions
from reslag_vae.latents.noise import normal_rows
from reslag_vae.likelihoods.pixels import eight_bits
from reslag_vae.models import GenerativeModel

# Pictures in an overview
SHOWN = 8
OVERVIEW = "_overview.png"

ODD = "odd"


class Seen(NamedTuple):
    """A batch of pictures, and what the model makes of them.

    Attributes:
        positions: numbers of their files.
        names: names of their files.
        pixels: (B, C, H, W) uint8 images on the CPU.
        images: (B, C, H, W) images in [0, 1] on the model's device.
        encoded: what is inferred from them.
        model: the model; a conditional one is told of them.
    """

    positions: list[int]
    names: list[str]
    pixels: Tensor
    images: Tensor
    encoded: Encoded
    model: GenerativeModel


class Reconstructions:
    """The reconstructions of pictures, each a PNG file under the name of its picture.

    Args:
        model: the model.
        folder: folder of the files.
        names: names of all pictures.
        begin: function that is called before the first file is written.
    """

    def __init__(
        self,
        model: GenerativeModel,
        folder: Path,
        names: Sequence[str],
        begin: Callable[[], None],
    ) -> None:
        self.model, self.folder, self.names = model, folder, picture_names(names)
        self.begin, self.begun = begin, False
        # One for all batches, whose size then changes nothing where images are samples.
        self.generator = torch.Generator().manual_seed(0)
        self.shown = set(np.linspace(0, len(names) - 1, min(SHOWN, len(names))).round().tolist())
        self.originals: list[Tensor] = []
        self.decoded: list[Tensor] = []

    def __call__(self, seen: Seen) -> None:
        """Write the reconstructions of a batch."""
        decoded = self.model.likelihood.image(seen.encoded.parameters, self.generator)
        images = eight_bits(decoded).cpu()
        if not self.begun:
            self.begin()
            self.begun = True
        save_pictures([self.folder / self.names[position] for position in seen.positions], images)
        for position, original, image in zip(seen.positions, seen.pixels, images, strict=True):
            if position in self.shown:
                self.originals.append(original)
                self.decoded.append(image)

    def draw(self) -> None:
        """Draw some pictures above their reconstructions."""
        if self.originals:
            rows = {"reconstruction": torch.stack(self.decoded)}
            save_figure(reconstructions(torch.stack(self.originals), rows), self.folder / OVERVIEW)


class Scores:
    """The scores of pictures.

    Args:
        scorer: the scorer.
        calibration: scores of validation images, for percentiles.
        odd: whether each picture is odd; None for one without a label, or for all.
        add: function that adds rows to the table.
    """

    def __init__(
        self,
        scorer: Scorer,
        calibration: Calibration,
        odd: Sequence[bool | None] | None,
        add: Add,
    ) -> None:
        self.scorer, self.calibration, self.odd, self.add = scorer, calibration, odd, add
        self.names: list[str] = []
        self.labels: list[bool | None] = []
        self.values: dict[str, list[np.ndarray]] = {}

    def __call__(self, seen: Seen) -> None:
        """Add the scores of a batch."""
        columns = self.scorer._replace(model=seen.model).scores(seen.images, seen.encoded)
        for name, values in columns.items():
            self.values.setdefault(name, []).append(values)
        self.names += seen.names
        ranks = {
            f"{name}{PERCENTILE}": percentiles(values, self.calibration.scores[name])
            for name, values in columns.items()
            if name in self.calibration.scores
        }
        columns |= ranks
        if self.odd is not None:
            labels = [self.odd[position] for position in seen.positions]
            self.labels += labels
            # Not a number, where there is no label.
            columns[ODD] = np.array([np.nan if own is None else own for own in labels], np.float32)
        self.add(seen.names, columns)

    def auroc(self) -> dict[str, float]:
        """Return how well each score tells odd pictures; empty without both kinds."""
        known = np.array([label is not None for label in self.labels], dtype=bool)
        odd = np.array([bool(label) for label in self.labels])[known]
        if not odd.any() or odd.all():
            return {}
        return {
            name: auroc(np.concatenate(values)[known], odd) for name, values in self.values.items()
        }

    def oddest(self, count: int) -> list[str]:
        """Return the names of the pictures with the highest scores, by the last score there is."""
        values = np.concatenate(list(self.values.values())[-1])
        return [self.names[place] for place in np.argsort(-values, kind="stable")[:count]]


def keep_means(spool: Spool) -> Callable[[Seen], None]:
    """Return the function that keeps the posterior means of a batch."""
    return lambda seen: spool.add(seen.encoded.means.float().cpu().numpy())


def keep_latents(spool: Spool, seed: int) -> Callable[[Seen], None]:
    """Return the function that keeps a sample of each posterior of a batch.

    The noise of a picture is a row of its own, by the number of its file: it depends neither on
    the size of the batches nor on files that cannot be read.

    Args:
        spool: where they are kept.
        seed: seed of the noise.
    """
    generator, drawn = torch.Generator().manual_seed(seed), 0

    def keep(seen: Seen) -> None:
        nonlocal drawn
        end = seen.positions[-1] + 1
        rows = normal_rows(end - drawn, seen.model.latent_dim, generator)
        noise = rows[torch.tensor(seen.positions) - drawn].to(seen.images)
        drawn = end
        spool.add(sample_of(seen, noise).float().cpu().numpy())

    return keep


def sample_of(seen: Seen, noise: Tensor) -> Tensor:
    """Return the (B, d) sample of the posteriors of a batch, by (B, d) noise of all levels."""
    posteriors = seen.encoded.inferred.posteriors
    if len(posteriors) == 1:
        return posteriors[0].rsample(noise)
    # Lower levels are inferred from the samples of those above.
    return seen.model.infer(seen.images, noise_of_levels(seen.model, noise)).code


def picture_names(names: Sequence[str]) -> list[str]:
    """Return names of PNG files for pictures by name, no two of them the same."""
    taken, found = {OVERVIEW, REPORT}, []
    for name in names:
        own = name if name.lower().endswith(".png") else f"{name}.png"
        while own in taken:
            own = f"{own}.png"
        taken.add(own)
        found.append(own)
    return found


def save_pictures(paths: Sequence[Path], images: Tensor) -> None:
    """Write (B, C, H, W) uint8 images as PNG files, several at a time."""
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(save_picture, paths, images):  # raises what a thread has raised
            pass


def save_picture(path: Path, image: Tensor) -> None:
    """Write a (C, H, W) uint8 image as PNG."""
    pixels = image.permute(1, 2, 0).numpy()
    content = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(content, format="png")
    write_atomically(path, content.getvalue())
