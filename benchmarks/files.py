"""Made-up picture files in the formats that torchvision reads, so that nothing is downloaded."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset
from torchvision import datasets, transforms

SEED = 0
TEST_SHARE = 10  # training images for each test image
CELEBA_SIZE = (178, 218)  # width and height of the official pictures


def write_fashion_mnist(root: Path, count: int) -> None:
    """Write `count` training images of noise as the IDX files of FashionMNIST.

    The test split has a tenth as many images.
    """
    generator = np.random.default_rng(SEED)
    folder = root / "FashionMNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    for split, size in (("train", count), ("t10k", max(1, count // TEST_SHARE))):
        pixels = generator.integers(256, size=(size, 28, 28), dtype=np.uint8)
        _write_idx(folder / f"{split}-images-idx3-ubyte", pixels)
        _write_idx(
            folder / f"{split}-labels-idx1-ubyte", generator.integers(10, size=size, dtype=np.uint8)
        )


def _write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">i4").tobytes()
    path.write_bytes(header + array.tobytes())


def write_cifar10(root: Path, count: int) -> None:
    """Write `count` training images of noise as the pickles of CIFAR10.

    The test split has a tenth as many images.
    """
    generator = np.random.default_rng(SEED)
    folder = root / datasets.CIFAR10.base_folder
    folder.mkdir(parents=True, exist_ok=True)
    names = [name for name, _ in datasets.CIFAR10.train_list]
    sizes = [len(part) for part in np.array_split(np.arange(count), len(names))]
    batches = [*zip(names, sizes, strict=True), ("test_batch", max(1, count // TEST_SHARE))]
    for name, size in batches:
        pixels = generator.integers(256, size=(size, 3 * 32 * 32), dtype=np.uint8)
        labels = generator.integers(10, size=size).tolist()
        (folder / name).write_bytes(pickle.dumps({"data": pixels, "labels": labels}))
    classes = [str(number) for number in range(10)]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": classes}))


def write_celeba(root: Path, count: int) -> None:
    """Write `count` smooth random pictures of CelebA's size, as `000001.jpg` and so on.

    Their folder is `celeba/img_align_celeba`.
    """
    folder = root / "celeba" / "img_align_celeba"
    folder.mkdir(parents=True, exist_ok=True)

    def write(number: int) -> None:
        # A few enlarged colours give a JPEG of about the size of a photograph; noise would be many
        # times larger.
        few = np.random.default_rng([SEED, number]).integers(256, size=(10, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(few).resize(CELEBA_SIZE, Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:06d}.jpg", quality=90)

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, range(1, count + 1)))


WRITERS = {"fashion_mnist": write_fashion_mnist, "cifar10": write_cifar10, "celeba": write_celeba}


class _UncheckedCIFAR10(datasets.CIFAR10):
    meta: ClassVar[dict[str, Any]] = {**datasets.CIFAR10.meta, "md5": None}

    def _check_integrity(self) -> bool:
        return True  # The files are not the official ones.


def torchvision_dataset(name: str, root: Path) -> Dataset[Any]:
    """Return the training split of a workload as a data set of torchvision.

    Each index has a float32 image in [0, 1] and a class number.

    Args:
        name: name of the workload, whose files are in `root`.
        root: folder that the writers wrote into.
    """
    to_tensor = transforms.ToTensor()
    if name == "fashion_mnist":
        dataset: Dataset[Any] = datasets.FashionMNIST(root, transform=to_tensor)
    elif name == "cifar10":
        dataset = _UncheckedCIFAR10(root, transform=to_tensor)
    else:
        smaller = transforms.Compose([transforms.Resize((64, 64)), to_tensor])
        dataset = datasets.ImageFolder(root / "celeba", transform=smaller)
    return dataset
