"""Any folder of pictures."""

from functools import partial
from pathlib import Path

import torch

from reslag_vae.data.base import ImageDataModule
from reslag_vae.data.cache import decoded
from reslag_vae.data.errors import DataError
from reslag_vae.data.images import Images, Source
from reslag_vae.data.pictures import SUFFIXES, centre_square, decode, find_pictures


class ImageFolder(ImageDataModule):
    """Pictures of any sizes in a folder, made square; with or without folders of splits and of classes.

    Where the folder has a `train` in it, `train`, `val` (or `valid`, `validation`) and `test` are the
    splits, and those that are not there are taken from train; else all pictures are train. Where every
    picture lies in a subfolder, the first level of subfolders names the classes; else there are no labels.
    The pictures are decoded once, into a cache. EXIF orientation is honoured.

    Args:
        root: the folder of all data sets, in which `.cache` is made.
        batch_size: images in a minibatch, in every split.
        val_fraction: the part of train that is taken where there is no validation folder, in (0, 1).
        seed: of the validation split and of the order of the training batches.
        folder: of the pictures: absolute, in `root`, or in the working directory.
        size: the shorter side is resized to this, and the longer one cut to it at both ends; in pixels.
        channels: 3 for colour, 1 for grey.

    Raises:
        ValueError: an argument out of its range.
    """

    name = "image_folder"

    def __init__(
        self,
        root: str | Path,
        batch_size: int,
        val_fraction: float,
        seed: int,
        folder: str | Path,
        size: int = 64,
        channels: int = 3,
    ) -> None:
        super().__init__(root, batch_size, val_fraction, seed)
        if size < 1:
            raise ValueError(f"data.size must be at least 1, not {size}.")
        if channels not in (1, 3):
            raise ValueError(f"data.channels must be 1 or 3, not {channels}.")
        self.folder = Path(folder).expanduser()
        self.image_shape = (channels, size, size)

    @property
    def key(self) -> str:
        return f"{self.name}-size{self.image_shape[1]}-channels{self.image_shape[0]}"

    def read(self) -> Source:
        folder = self._existing_folder()
        parts = _split_folders(folder)
        listings = {part: find_pictures(part) for part in parts.values()}
        _refuse_too_few(listings)
        class_names, labels = _classes(listings)
        channels, size, _ = self.image_shape
        how = partial(decode, size=size, channels=channels, region=centre_square)
        files = [path for listing in listings.values() for path in listing]
        store = decoded(files, how, self.image_shape, self.key, folder, self.root)
        rows = torch.split(torch.arange(len(files)), [len(listing) for listing in listings.values()])
        splits = {name: Images(store, labels, part) for name, part in zip(parts, rows, strict=True)}
        return Source(splits["train"], splits.get("val"), splits.get("test"), class_names)

    def _existing_folder(self) -> Path:
        for place in (self.folder, self.root / self.folder):
            if place.is_dir():
                return place
        places = f"neither in {Path.cwd()} nor in {self.root.absolute()}"
        raise DataError(f"data.folder: there is no folder {self.folder}, {places}.")


def _split_folders(folder: Path) -> dict[str, Path]:
    if not (folder / "train").is_dir():
        return {"train": folder}
    # Of several folders for one split, the last here is taken.
    names = {"train": "train", "validation": "val", "valid": "val", "val": "val", "test": "test"}
    return {split: folder / name for name, split in names.items() if (folder / name).is_dir()}


def _refuse_too_few(listings: dict[Path, list[Path]]) -> None:
    for part, listing in listings.items():
        if not listing:
            raise DataError(f"There is no picture in {part} ({', '.join(sorted(SUFFIXES))}).")
    count = sum(map(len, listings.values()))
    if count < 3:
        parts = ", ".join(map(str, listings))
        raise DataError(f"{parts}: {count} picture(s) cannot fill train, val and test.")


def _classes(listings: dict[Path, list[Path]]) -> tuple[list[str], torch.Tensor]:
    """Class names, and (N,) int64 labels of all pictures in their order."""
    paths = [path.relative_to(part) for part, listing in listings.items() for path in listing]
    if any(len(path.parts) == 1 for path in paths):
        return [], torch.full((len(paths),), -1)
    names = sorted({path.parts[0] for path in paths})
    numbers = {name: number for number, name in enumerate(names)}
    return names, torch.tensor([numbers[path.parts[0]] for path in paths])
