"""The data module of every data set: its splits, minibatches and loaders."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import torch
from lightning import LightningDataModule
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.data.binarize import NOTE, DrawnBatches, DrawnImages, drawn_once
from reslag_vae.data.images import Batch, Images, Source
from reslag_vae.data.inventory import Inventory, image_digests, take_inventory
from reslag_vae.data.placement import Placement
from reslag_vae.data.sampling import SequentialBatches, ShuffledBatches
from reslag_vae.options import require

SplitName = Literal["train", "val", "test"]
SPLIT_NAMES: tuple[SplitName, ...] = get_args(SplitName)
Binarize = Literal["dynamic"] | None

# A test split that the data set does not have is cut off with these, so that it is the same in
# every run.
TEST_FRACTION = 0.1
TEST_SEED = 20_240_229


class ImageDataModule(LightningDataModule, ABC):
    """Images of one data set, as uint8 minibatches.

    A data set is a final subclass that names itself, gives `image_shape` and says in `read` where
    its images come from. Official splits are kept as they are. If the data set has no validation
    split, this is a part of train that depends on `seed`; if it has no test split, this is a tenth
    of train that does not. The loaders fetch a whole batch by one index: there is no work per
    image.

    Use it with `Trainer(use_distributed_sampler=False)`: the loaders divide the images among the
    processes.

    Args:
        root: folder of all data sets.
        batch_size: number of images in a minibatch, in every split; in training, of all processes
            together.
        val_fraction: part of train that is taken for validation, in (0, 1).
        seed: seed of the validation split and of the order of the training batches.
        passes: number of passes over the training images in an epoch; None for one.

    Attributes:
        name: name of the data set, as in `conf/data/<name>.yaml`. If its pixels are drawn, it says
            how, as in `mnist_dynamic`.
        image_shape: (C, H, W), the shape of an image, known before any data are read.
        needs_root: whether anything is read from `root`.
        binarize: "dynamic" draws each pixel black or white by its intensity, anew whenever it is
            trained on, and once for all that reads the images in order; None leaves it grey.
        at_once: number of minibatches that the training loader gives at once; with several
            processes, one. Each training sets it anew.
        validated_at_once: number of images in the batches of `val_dataloader` and
            `test_dataloader`; None for `batch_size`.

    Raises:
        ValueError: an argument is out of its range.
    """

    name: str
    image_shape: tuple[int, int, int]
    needs_root: ClassVar[bool] = True
    binarize: Binarize = None
    at_once: int = 1
    validated_at_once: int | None = None

    def __init__(
        self,
        root: str | Path,
        batch_size: int,
        val_fraction: float,
        seed: int,
        passes: int | None = None,
    ) -> None:
        super().__init__()
        require("data.batch_size", batch_size)
        require("data.val_fraction", val_fraction)
        require("data.seed", seed)
        require("data.passes", passes)
        self.root = Path(root).expanduser()
        self.batch_size = batch_size
        self.val_fraction = val_fraction
        self.seed = seed
        self.passes = 1 if passes is None else passes
        self._splits: dict[SplitName, Images] = {}
        self._placement = Placement()

    @property
    def binary(self) -> bool:
        """Whether every pixel is black or white."""
        return self.binarize is not None

    @abstractmethod
    def read(self) -> Source:
        """Return the data set's own splits, after a download or decoding if these are needed.

        Raises:
            DataError: a file is missing or damaged, or there are too few images.
        """

    def prepare_data(self) -> None:
        """Download and decode what is missing, in one process, before the others read it."""
        self.setup()

    def keep(self, path: Path) -> None:
        """Write what cannot be read again to a file; data sets that lie on disk need none.

        Args:
            path: path of the file, in the folder of a run.
        """

    def check_place(self, path: Path) -> None:
        """Refuse a file that is in the way of what `keep` writes.

        Args:
            path: path of the file, in the folder of a run.

        Raises:
            DataError: there is a file, and it holds something else.
        """

    def setup(self, stage: str | None = None) -> None:
        """Read every split, whatever the stage; later calls do nothing.

        Raises:
            DataError: a file is missing or damaged, or there are too few images.
        """
        if self._splits:
            return
        self._source = self.read()
        train, val, test = self._source.train, self._source.val, self._source.test
        if test is None:
            train, test = train.divide(TEST_FRACTION, TEST_SEED)
        if val is None:
            train, val = train.divide(self.val_fraction, self.seed)
        self._trained_on = train
        if self.binarize is not None:
            train, val, test = drawn_once([train, val, test])
        self._splits = {"train": train, "val": val, "test": test}

    def split(self, name: SplitName) -> Images:
        """Return all images of a split.

        Raises:
            RuntimeError: `setup` was not called before.
        """
        if not self._splits:
            raise RuntimeError("The data are not read yet: call setup() first.")
        return self._splits[name]

    def names(self, split: SplitName) -> list[str]:
        """Return the names of a split's images, such as those of files; empty if they have none.

        Raises:
            RuntimeError: `setup` was not called before.
        """
        rows, names = self.split(split).rows.tolist(), self._source.names
        return [names[row] for row in rows] if names else []

    @property
    def key(self) -> str:
        """The name of the data set with the options of its images, for the names of files."""
        return self.name

    @property
    def class_names(self) -> list[str]:
        """The names of the classes by class number, after `setup`; empty without labels."""
        return self._source.class_names if self._splits else []

    @property
    def num_classes(self) -> int:
        """The number of classes, after `setup`; 0 without labels."""
        return len(self.class_names)

    def tell_attributes(self, names: Sequence[str] | None = None) -> list[str]:
        """Let batches hold attributes in place of class numbers, and return the names of these.

        Args:
            names: names of the attributes; None for all.

        Raises:
            ConfigError: the data have no attributes, or none of a name.
        """
        raise ConfigError(
            f"condition=attributes: data={self.name} has no attributes; data=celeba has them, and "
            "condition=label takes classes."
        )

    @cached_property
    def inventory(self) -> Inventory:
        """The inventory of the splits, after `setup`.

        Raises:
            RuntimeError: `setup` was not called before.
        """
        splits = {str(name): self.split(name) for name in SPLIT_NAMES}
        notes = [] if self.binarize is None else [NOTE]
        return take_inventory(splits, self._source, self.digests_of, notes)

    def digests_of(self, store: Tensor) -> NDArray[np.void]:
        """Return (M,) digests of the pixels of the images of one of the data set's stores.

        Args:
            store: (M, C, H, W) uint8 images, the store of one or more splits.
        """
        return image_digests(store)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return shuffled batches; further iterators of the same epoch give other orders."""
        self.split("train")  # raises if nothing is read yet
        train = self._placed(self._trained_on)
        rank, count = self._process()
        size = self.batch_size * (self.at_once if count == 1 else 1)
        batches = ShuffledBatches(
            len(train), size, self.seed, rank, count, train.rows.device, self.passes
        )
        if self.binarize is None:
            return _loader(train, batches)
        return _loader(DrawnImages(train), DrawnBatches(batches, self.image_shape))

    @property
    def minibatches(self) -> int:
        """The number of minibatches of a training epoch, of all processes together."""
        return self.passes * -(-len(self.split("train")) // self.batch_size)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return batches in a fixed order, which the processes take in turns."""
        return self._in_order("val", self.validated_at_once, *self._process())

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return batches in a fixed order, which the processes take in turns."""
        return self._in_order("test", self.validated_at_once, *self._process())

    def in_order(self, name: SplitName, size: int | None = None) -> DataLoader[Batch]:
        """Return the batches that an evaluation reads.

        They hold each image of a split once, in a fixed order, all in this process.

        Args:
            name: the split.
            size: number of images in a batch; None is that of a training minibatch.
        """
        return self._in_order(name, size)

    def _in_order(
        self, name: SplitName, size: int | None = None, rank: int = 0, world_size: int = 1
    ) -> DataLoader[Batch]:
        """Return the batches of a split, of `size` images, that are this process's turns."""
        images = self._placed(self.split(name))
        size = size or self.batch_size
        return _loader(
            images, SequentialBatches(len(images), size, rank, world_size, images.rows.device)
        )

    def _placed(self, images: Images) -> Images:
        """Return images, on the trainer's GPU if all splits fit there."""
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        return self._placement.place(images, (self._trained_on, *self._splits.values()), device)

    def _process(self) -> tuple[int, int]:
        """Return the rank of this process and the number of processes."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)


def _loader(images: Dataset[Batch], sampler: Sampler[Any]) -> DataLoader[Batch]:
    """Return a loader of whole batches, each fetched by one index of the sampler."""
    # Its own generator: without one, each new iterator would draw a seed for its workers from the
    # global one.
    return DataLoader(images, sampler=sampler, batch_size=None, generator=torch.Generator())
