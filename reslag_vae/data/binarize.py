"""The drawing of grey images in black and white: a pixel's intensity is its chance to be white."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from reslag_vae.data.images import Batch, Images
from reslag_vae.data.sampling import ShuffledBatches

# Levels are 0 to 254, all equally likely: as many of them are below an intensity, from 0 to 255, as
# it is large.
LEVELS = 255
FIXED_SEED = 20_240_301

# The random numbers of levels are another stream than those of the order of the images.
STREAM = 1

NOTE = (
    "dynamic binarisation: pixels are drawn by their intensity, anew whenever they are trained on, "
    "and once, with a fixed seed, where they are evaluated"
)


def draw(pixels: Tensor, levels: Tensor) -> Tensor:
    """Return uint8 pixels, changed in place: 255 where they are above their level, else 0."""
    return pixels.gt_(levels).mul_(255)


def drawn_once(splits: Sequence[Images]) -> list[Images]:
    """Return the splits with each image drawn from a fixed seed, the same in every run."""
    stores: dict[Tensor, Tensor] = {}
    for images in splits:
        if images.store not in stores:
            random = np.random.default_rng([FIXED_SEED, len(stores)])
            levels = random.integers(LEVELS, size=images.store.shape, dtype=np.uint8)
            stores[images.store] = draw(images.store.clone(), torch.from_numpy(levels))
    return [own.on(stores[own.store]) for own in splits]


class DrawnImages(Dataset[Batch]):
    """A split whose batches are drawn in black and white, by levels that come with the index.

    Args:
        images: grey images of the split.
    """

    def __init__(self, images: Images) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, positions_and_levels: tuple[Tensor, Tensor]) -> Batch:
        """Return the batch at (B,) positions, drawn by (B, C, H, W) levels."""
        positions, levels = positions_and_levels
        batch = self.images[positions]
        return batch._replace(images=draw(batch.images, levels))


class DrawnBatches(Sampler[tuple[Tensor, Tensor]]):
    """A sampler of shuffled batches of positions, each with new levels for its images.

    The levels are a pure function of the seed, the epoch, the pass and the place in it, so a
    resumed run draws what an uninterrupted one would, and global random states are left alone.
    Several processes draw the levels of the whole batch, of which each takes its part.

    Args:
        batches: sampler of the positions.
        image_shape: (C, H, W), the shape of an image.
    """

    def __init__(self, batches: ShuffledBatches, image_shape: tuple[int, ...]) -> None:
        self.batches = batches
        self.image_shape = image_shape

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch. Lightning calls this before each epoch."""
        self.batches.set_epoch(epoch)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(self.batches.passes_of_epoch):
            yield from self._next_pass()

    def _next_pass(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the positions and levels of the batches of a pass, which begins with the first."""
        key = self.batches.begin_pass()
        device = self.batches.device or torch.device("cpu")
        seed = np.random.SeedSequence(key, spawn_key=(STREAM,)).generate_state(1, np.uint64)
        generator = torch.Generator(device).manual_seed(int(seed[0]))
        for batch in self.batches.whole(key):
            levels = torch.randint(
                LEVELS,
                (len(batch), *self.image_shape),
                dtype=torch.uint8,
                device=device,
                generator=generator,
            )
            positions = self.batches.own_part(batch)
            if len(positions):
                yield positions, self.batches.own_part(levels)

    def __len__(self) -> int:
        return len(self.batches)
