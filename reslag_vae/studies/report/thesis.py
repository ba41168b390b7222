"""The numbers that the thesis printed, and the settings that they were made with."""

import csv
from importlib.resources import files
from typing import NamedTuple

# The four numbers of a cell of Table 1.
TERMS = ("rec", "lat", "mmd", "total")
NAMES = {"rec": "Rec", "lat": "Lat", "mmd": "MMD", "total": "Total"}

# Data sets of ours that are shown beside one of the thesis' without being the same.
STANDS_FOR = {"cifar10_folder": "cifar10"}

# Of data sets that are not the thesis'.
TITLES = {
    "mnist_dynamic": "MNIST, dynamic binarisation",
    "binarized_mnist": "MNIST, static binarisation",
    "omniglot": "Omniglot",
    "omniglot_dynamic": "Omniglot, dynamic binarisation",
}


class Setting(NamedTuple):
    """The thesis' settings on a data set, as far as it states them.

    Attributes:
        title: title of the data set.
        images: number of images in the official training split, part of which chooses the epoch.
        epochs: epochs of training.
        aggressive: epochs at the beginning in which the lagging variants train their encoder
            aggressively.
        ratio: encoder updates for each decoder update in these epochs.
        latent: number of latent dimensions.
        blocks: convolution blocks of each side.
        beta: beta of beta-VAE.
    """

    title: str
    images: int
    epochs: int
    aggressive: int
    ratio: int
    latent: int
    blocks: int
    beta: float


LEARNING_RATE = 0.002

# Not printed: the spread in the thesis' Figure 5 is that of minibatches of about this size.
BATCH_SIZE = 32

# CelebA's official validation split chooses the epoch, and is counted.
SETTINGS = {
    "mnist": Setting("MNIST", 60_000, 40, 5, 3, 5, 3, 4),
    "fashion_mnist": Setting("FashionMNIST", 60_000, 40, 5, 3, 10, 3, 4),
    "cifar10": Setting("CIFAR10", 50_000, 40, 20, 5, 100, 5, 3),
    "cifar100": Setting("CIFAR100", 50_000, 40, 20, 5, 100, 5, 3),
    "celeba": Setting("CelebA", 182_637, 20, 10, 5, 150, 8, 4),
}


def table1() -> dict[tuple[str, str], dict[str, float]]:
    """Return Table 1: the terms that the thesis prints, by data set and model."""
    text = files("reslag_vae.studies.report").joinpath("table1.csv").read_text(encoding="utf-8")
    return {
        (row["dataset"], row["model"]): {term: float(row[term]) for term in TERMS if row[term]}
        for row in csv.DictReader(text.splitlines())
    }


def setting_of(data: str) -> Setting | None:
    """Return the thesis' settings on a data set or its equivalent; None if it has none."""
    return SETTINGS.get(STANDS_FOR.get(data, data))


def title_of(data: str) -> str:
    """Return the title of a data set."""
    if data in STANDS_FOR:
        return f"{SETTINGS[STANDS_FOR[data]].title} pictures"
    return SETTINGS[data].title if data in SETTINGS else TITLES.get(data, data)
