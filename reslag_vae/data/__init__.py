"""Data sets of images: one data module, and a small file for each data set."""

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
