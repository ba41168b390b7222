"""What the thesis printed, and with what it was made."""

import csv
from importlib.resources import files
from typing import NamedTuple

# The four numbers of a cell of Table 1.
TERMS = ("rec", "lat", "mmd", "total")

# A data set of ours that stands beside one of the thesis' without being it.
STANDS_FOR = {"cifar10_folder": "cifar10"}

# Of data sets that are not the thesis'.
TITLES = {
    "mnist_dynamic": "MNIST, dynamic binarisation",
    "binarized_mnist": "MNIST, static binarisation",
    "omniglot": "Omniglot",
    "omniglot_dynamic": "Omniglot, dynamic binarisation",
}


class Setting(NamedTuple):
    """How the thesis trained on a data set, as far as it says.

    Attributes:
        title: of the data set.
        images: in the official training split, of which a part chooses the epoch.
        epochs: of training.
        aggressive: epochs at its beginning in which the lagging variants train their encoder
            aggressively.
        ratio: encoder updates for each decoder update in them.
        latent: dimensions.
        blocks: convolution blocks of each side.
        beta: of beta-VAE.
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

# Not printed: the spread of its Figure 5 is that of minibatches of about so many images.
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
    """Table 1: by data set and model, the terms that it prints."""
    text = files("reslag_vae.studies.report").joinpath("table1.csv").read_text(encoding="utf-8")
    return {
        (row["dataset"], row["model"]): {term: float(row[term]) for term in TERMS if row[term]}
        for row in csv.DictReader(text.splitlines())
    }


def setting_of(data: str) -> Setting | None:
    """How the thesis trained on the data set, or on the one that it stands for; None if it did not."""
    return SETTINGS.get(STANDS_FOR.get(data, data))


def title_of(data: str) -> str:
    """Of a data set."""
    if data in STANDS_FOR:
        return f"{SETTINGS[STANDS_FOR[data]].title} pictures"
    return SETTINGS[data].title if data in SETTINGS else TITLES.get(data, data)
