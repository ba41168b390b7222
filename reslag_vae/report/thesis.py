"""What the thesis printed, and with what it was made."""

import csv
from importlib.resources import files
from typing import NamedTuple

# The four numbers of a cell of Table 1.
TERMS = ("rec", "lat", "mmd", "total")

# A data set of ours that stands beside one of the thesis' without being it.
STANDS_FOR = {"cifar10_folder": "cifar10"}


class Setting(NamedTuple):
    """How the thesis trained on a data set.

    Attributes:
        title: of the data set.
        epochs: of training.
        images: in the official training split, of which a part chooses the epoch.
    """

    title: str
    epochs: int
    images: int


# CelebA's official validation split chooses the epoch, and is counted.
SETTINGS = {
    "mnist": Setting("MNIST", 40, 60_000),
    "fashion_mnist": Setting("FashionMNIST", 40, 60_000),
    "cifar10": Setting("CIFAR10", 40, 50_000),
    "cifar100": Setting("CIFAR100", 40, 50_000),
    "celeba": Setting("CelebA", 20, 182_637),
}


def table1() -> dict[tuple[str, str], dict[str, float]]:
    """Table 1: by data set and model, the terms that it prints."""
    text = files("reslag_vae.report").joinpath("table1.csv").read_text(encoding="utf-8")
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
    return SETTINGS[data].title if data in SETTINGS else data
