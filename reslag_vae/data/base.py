"""The one data module: how splits, batches and loaders are made, whatever the data set."""

import logging
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from lightning import LightningDataModule
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from reslag_vae.data.binarize import NOTE, DrawnBatches, DrawnImages, drawn_once
from reslag_vae.data.images import Batch, Images, Source
from reslag_vae.data.inventory import Inventory, copies, image_digests, pixel_range, split_digest
from reslag_vae.data.sampling import SequentialBatches, ShuffledBatches
from reslag_vae.options import require

log = logging.getLogger(__name__)

SplitName = Literal["train", "val", "test"]
Binarize = Literal["dynamic"] | None

# A test split that the data set does not have is cut off with these, so that it is the same in
# every run.
TEST_FRACTION = 0.1
TEST_SEED = 20_240_229

# Of a GPU's free memory, the part that images may take: the rest is the network's.
GPU_SHARE = 0.5


class ImageDataModule(LightningDataModule, ABC):
    """Images of one data set, as uint8 minibatches.

    A data set is a final subclass that names itself, gives `image_shape` and says in `read` where
    its images come from. Official splits are kept as they are; where the data set has no validation
    split it is a part of train that depends on `seed`, and where it has no test split this is a
    tenth of train that does not. The loaders fetch a whole batch by one index: there is no work per
    image.

    Use it with `Trainer(use_distributed_sampler=False)`; the loaders see to the shares of the
    processes.

    Args:
        root: the folder of all data sets.
        batch_size: images in a minibatch, in every split; in training, of all processes together.
        val_fraction: the part of train that is taken for validation, in (0, 1).
        seed: of the validation split and of the order of the training batches.

    Attributes:
        name: of the data set, as in `conf/data/<name>.yaml`; where its pixels are drawn it says how:
            `mnist_dynamic`.
        image_shape: (C, H, W), known before any data are read.
        needs_root: whether anything is read from `root`.
        binarize: "dynamic" draws each pixel black or white by its intensity, anew whenever it is
            trained on, and once for all that reads the images in order; None leaves it grey.

    Raises:
        ValueError: an argument out of its range.
    """

    name: str
    image_shape: tuple[int, int, int]
    needs_root: ClassVar[bool] = True
    binarize: Binarize = None

    def __init__(self, root: str | Path, batch_size: int, val_fraction: float, seed: int) -> None:
        super().__init__()
        require("data.batch_size", batch_size)
        require("data.val_fraction", val_fraction)
        require("data.seed", seed)
        self.root = Path(root).expanduser()
        self.batch_size = batch_size
        self.val_fraction = val_fraction
        self.seed = seed
        self._splits: dict[SplitName, Images] = {}
        self._on_device: dict[Tensor, Tensor] = {}

    def set_binarize(self, binarize: Binarize) -> None:
        """Take the option `data.binarize`, in the constructor of a data set that has it.

        Raises:
            ValueError: it is none of its values.
        """
        require("data.binarize", binarize)
        self.binarize = binarize
        if binarize is not None:
            self.name = f"{self.name}_{binarize}"

    @property
    def binary(self) -> bool:
        """Whether every pixel is black or white."""
        return self.binarize is not None

    @abstractmethod
    def read(self) -> Source:
        """The data set's own splits, downloaded or decoded first where that is still to be done.

        Raises:
            DataError: a file is missing or damaged, or there are too few images.
        """

    def prepare_data(self) -> None:
        """Download and decode what is missing, in one process, before the others read it."""
        self.setup()

    def setup(self, stage: str | None = None) -> None:
        """Read every split, whatever the stage; later calls do nothing.

        Raises:
            DataError: as `read`.
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
        """All images of a split.

        Raises:
            RuntimeError: before `setup`.
        """
        if not self._splits:
            raise RuntimeError("The data are not read yet: call setup() first.")
        return self._splits[name]

    @property
    def key(self) -> str:
        """Names the data set and the options that its images depend on, within a name of a file."""
        return self.name

    @property
    def class_names(self) -> list[str]:
        """In the order of the class numbers; empty without labels. Known after `setup`."""
        return self._source.class_names if self._splits else []

    @property
    def num_classes(self) -> int:
        """0 without labels. Known after `setup`."""
        return len(self.class_names)

    @cached_property
    def inventory(self) -> Inventory:
        """What the splits hold. Known after `setup`.

        Raises:
            RuntimeError: before `setup`.
        """
        splits = {name: self.split(name) for name in ("train", "val", "test")}
        stores = {images.store: None for images in splits.values()}
        hashed = {store: self.digests_of(store) for store in stores}
        digests = {name: hashed[images.store] for name, images in splits.items()}
        names = self._source.names
        return Inventory(
            images={name: len(images) for name, images in splits.items()},
            classes=self.class_names,
            pixel_range=pixel_range(list(stores)),
            left_out=dict(self._source.left_out),
            notes=[
                *([] if self.binarize is None else [NOTE]),
                *self._source.notes,
                *copies(splits, digests, names),
            ],
            digests={
                name: split_digest(images, digests[name], names) for name, images in splits.items()
            },
        )

    def digests_of(self, store: Tensor) -> NDArray[np.void]:
        """(M,) digests of the pixels of the (M, C, H, W) images of one of the data set's stores."""
        return image_digests(store)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled batches; further iterators of the same epoch give other orders."""
        self.split("train")  # says so, if nothing is read yet
        train = self._placed(self._trained_on)
        process = self._process()
        batches = ShuffledBatches(
            len(train), self.batch_size, self.seed, *process, train.rows.device
        )
        if self.binarize is None:
            return _loader(train, batches)
        return _loader(DrawnImages(train), DrawnBatches(batches, self.image_shape))

    def val_dataloader(self) -> DataLoader[Batch]:
        """Batches in order, shared among the processes."""
        return self._in_order("val", *self._process())

    def test_dataloader(self) -> DataLoader[Batch]:
        """Batches in order, shared among the processes."""
        return self._in_order("test", *self._process())

    def in_order(self, name: SplitName) -> DataLoader[Batch]:
        """Batches of a split, each image once, in a fixed order, all in this process: what an evaluation reads."""
        return self._in_order(name)

    def _in_order(self, name: SplitName, rank: int = 0, world_size: int = 1) -> DataLoader[Batch]:
        images = self._placed(self.split(name))
        return _loader(
            images,
            SequentialBatches(len(images), self.batch_size, rank, world_size, images.rows.device),
        )

    def _placed(self, images: Images) -> Images:
        """Images, on the trainer's GPU if all splits fit into half of its memory: no image is copied to it twice."""
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        if device.type != "cuda":
            return images
        if images.store not in self._on_device:
            # What PyTorch holds of it without using it is free, too.
            held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
            free = torch.cuda.mem_get_info(device)[0] + held
            splits = (self._trained_on, *self._splits.values())
            missing = {split.store for split in splits} - self._on_device.keys()
            if sum(store.nbytes for store in missing) > GPU_SHARE * free:
                log.info(
                    "The images stay in main memory: they would take more than half of the GPU's."
                )
                return images
        return images.to(device, self._on_device)

    def _process(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)


def _loader(images: Dataset[Batch], sampler: Sampler[Any]) -> DataLoader[Batch]:
    # Its own generator: without one, each new iterator would draw a seed for its workers from the
    # global one.
    return DataLoader(images, sampler=sampler, batch_size=None, generator=torch.Generator())
