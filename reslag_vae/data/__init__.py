"""Data sets of images: one data module, and a small file for each data set."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reslag_vae.data.arrays import Arrays
    from reslag_vae.data.base import ImageDataModule
    from reslag_vae.data.binarized_mnist import BinarizedMNIST
    from reslag_vae.data.celeba import CelebA
    from reslag_vae.data.cifar import CIFAR10, CIFAR100
    from reslag_vae.data.cifar10_folder import CIFAR10Folder
    from reslag_vae.data.digits import Digits
    from reslag_vae.data.errors import DataError
    from reslag_vae.data.image_folder import ImageFolder
    from reslag_vae.data.images import Images
    from reslag_vae.data.mnist import MNIST, FashionMNIST
    from reslag_vae.data.omniglot import Omniglot

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "MNIST",
    "Arrays",
    "BinarizedMNIST",
    "CIFAR10Folder",
    "CelebA",
    "DataError",
    "Digits",
    "FashionMNIST",
    "ImageDataModule",
    "ImageFolder",
    "Images",
    "Omniglot",
]

MODULES = {
    "CIFAR10": "cifar",
    "CIFAR100": "cifar",
    "MNIST": "mnist",
    "Arrays": "arrays",
    "BinarizedMNIST": "binarized_mnist",
    "CIFAR10Folder": "cifar10_folder",
    "CelebA": "celeba",
    "DataError": "errors",
    "Digits": "digits",
    "FashionMNIST": "mnist",
    "ImageDataModule": "base",
    "ImageFolder": "image_folder",
    "Images": "images",
    "Omniglot": "omniglot",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the data modules load Lightning."""
    if name in MODULES:
        return getattr(import_module(f"reslag_vae.data.{MODULES[name]}"), name)
    raise AttributeError(f"module 'reslag_vae.data' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return all names, also of what is not imported yet: a notebook offers them."""
    return sorted({*globals(), *__all__})
