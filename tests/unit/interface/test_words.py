"""What is asked for in Python, in the words of the command line, and what is refused."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import DictConfig
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import reslag_vae
from reslag_vae._runtime.errors import UserError
from reslag_vae.data import Images
from reslag_vae.interface.compose import composed, literal
from reslag_vae.interface.given import gathered
from reslag_vae.networks import PlainNetwork
from reslag_vae.variants import VAE

PIXELS = torch.randint(256, (12, 1, 8, 8), generator=torch.Generator().manual_seed(0)).byte()
GREY = PIXELS[:, 0].numpy()


class Items(Dataset[Any]):
    """A data set whose items are given."""

    def __init__(self, *items: Any) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


class Endless(IterableDataset[Any]):
    def __iter__(self) -> Any:
        return iter(())


def test_words_compose_what_the_command_line_composes(compose: Callable[..., DictConfig]) -> None:
    words = ("model=vae", "data=digits", "trainer.max_epochs=5")
    found = composed(words)
    assert found.config == compose(*words)
    assert (found.choices["model"], found.choices["data"]) == ("vae", "digits")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (3, "3"),
        (0.5, "0.5"),
        (np.int64(3), "3"),
        (np.float64(0.5), "0.5"),
        (np.bool_(True), "true"),
        ([1, "a"], "[1,a]"),
        ("sigma_data", "sigma_data"),
        ("null", '"null"'),
        ("/p/Photos (1)", '"/p/Photos (1)"'),
    ],
)
def test_values_are_written_as_hydra_reads_them(value: Any, text: str) -> None:
    assert literal(value) == text


PAIRS = [(image, 3) for image in PIXELS]
HELD: dict[str, tuple[Any, bool]] = {
    "tensor": (PIXELS, False),
    "floats": (PIXELS / 255, False),
    "array": (GREY, False),
    "channels last": (PIXELS.permute(0, 2, 3, 1).numpy(), False),
    "pictures": ([Image.fromarray(own) for own in GREY], False),
    "list of arrays": (list(GREY), False),
    "images": (Images(PIXELS), False),
    "data set": (Items(*PAIRS), True),
    "data set without labels": (Items(*PIXELS), False),
    "data set of pictures": (Items(*[(Image.fromarray(own), "a") for own in GREY]), True),
    "data set of dicts": (Items(*[{"img": own, "label": 1} for own in GREY]), True),
    "loader": (DataLoader(TensorDataset(PIXELS, torch.full((12,), 3)), batch_size=5), True),
    "data set of a number in a row": (Items(*[(own, np.array([3])) for own in PIXELS]), True),
    "loader of a number in each row": (
        DataLoader(TensorDataset(PIXELS, torch.full((12, 1), 3)), batch_size=5),
        True,
    ),
    "data set of attributes": (Items(*[(own, torch.tensor([1, 0, 1])) for own in PIXELS]), False),
    "loader of attributes": (
        DataLoader(TensorDataset(PIXELS, torch.ones(12, 3, dtype=torch.int64)), batch_size=5),
        False,
    ),
    "loader without batches": (
        DataLoader(TensorDataset(PIXELS, torch.full((12,), 3)), batch_size=None),
        True,
    ),
    "loader without batches, of greys": (
        DataLoader(TensorDataset(PIXELS[:, 0], torch.full((12,), 3)), batch_size=None),
        True,
    ),
    "loader whose data set has batches": (
        DataLoader(TensorDataset(PIXELS[None], torch.full((1, 12), 3)), batch_size=None),
        True,
    ),
    "data set of truth values": (Items(*[(own, True) for own in PIXELS]), True),
    "loader of truth values": (
        DataLoader(TensorDataset(PIXELS, torch.ones(12, dtype=torch.bool)), batch_size=5),
        True,
    ),
    "data set of numbers with a fraction": (Items(*[(own, 0.5) for own in PIXELS]), False),
    "data set of boxes": (Items(*[(own, [[1, 2], [3]]) for own in PIXELS]), False),
    "loader without labels": (DataLoader(TensorDataset(PIXELS / 255), batch_size=5), False),
}


@pytest.mark.parametrize("name", HELD)
def test_whatever_holds_images_is_read(name: str) -> None:
    held, labelled = HELD[name]
    given = gathered(held)
    data = reslag_vae.data.Arrays(given.images, given.labels)
    assert torch.equal(data.store, PIXELS)
    assert bool(data.classes) == labelled
    assert ((data.store_labels >= 0) == labelled).all()


def test_a_loader_without_batches_gives_images_and_not_their_channels() -> None:
    colours = torch.randint(256, (6, 3, 8, 8), dtype=torch.uint8)
    labels = torch.arange(6)
    given = gathered(DataLoader(TensorDataset(colours, labels), batch_size=None))
    assert torch.equal(given.images, colours)
    assert given.labels.tolist() == labels.tolist()


def by_hand() -> VAE:
    return VAE(PlainNetwork((1, 8, 8), 2, [4], [1]))


def trained() -> VAE:
    """A variant by hand, as `fit` leaves it."""
    system = by_hand()
    system.model.requires_grad_(False)
    return system


def made_in_inference_mode() -> VAE:
    with torch.inference_mode():
        return by_hand()


@contextmanager
def double_by_default() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def fit_in(surroundings: AbstractContextManager[Any]) -> None:
    with surroundings:
        reslag_vae.fit(PIXELS, "recipe.channels=[2]", "recipe.blocks=[1]", model="vae")


BLACK = np.zeros((9, 8, 8), np.uint8)
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "empty": (lambda: reslag_vae.fit(PIXELS[:0]), "which holds none"),
    "empty list": (lambda: reslag_vae.fit([]), "they hold no image"),
    "too few": (lambda: reslag_vae.fit(PIXELS[:2]), "cannot fill train, val and test"),
    "NaN": (lambda: reslag_vae.fit(PIXELS * torch.nan), "finite values are wanted"),
    "scale": (lambda: reslag_vae.fit(PIXELS.float()), "divide them by 255, or give uint8"),
    "black": (lambda: reslag_vae.fit(BLACK), "they are black"),
    "one colour": (lambda: reslag_vae.fit(BLACK + 99), "of one colour each"),
    "rank": (lambda: reslag_vae.fit(PIXELS.flatten(1)), r"and these are \(12, 64\)"),
    "channels": (lambda: reslag_vae.fit(torch.rand(9, 4, 8, 8)), "1 or 3 channels"),
    "one picture": (lambda: reslag_vae.fit(np.ones((32, 32, 3))), "as one picture"),
    "labels": (lambda: reslag_vae.fit(PIXELS, labels=[1]), "one for each of 12 images"),
    "labels of several lengths": (
        lambda: reslag_vae.fit(PIXELS, labels=[[1], [1, 2]] * 6),
        "^labels: .* rows of several lengths",
    ),
    "labels of several kinds": (
        lambda: reslag_vae.fit(PIXELS, labels=np.array(["a", None] * 6)),
        "these are object",
    ),
    "one-hot": (lambda: reslag_vae.fit(PIXELS, labels=np.eye(12)), "whole numbers or names"),
    "structure": (lambda: reslag_vae.fit(Items({"pixels": 1})), "a dict with pixels"),
    "loader": (lambda: reslag_vae.fit(DataLoader(Items(1))), "each batch of a DataLoader"),
    "normalised": (lambda: reslag_vae.fit(Items(*(PIXELS / 127 - 1))), "leave that out"),
    "sizes": (lambda: reslag_vae.fit([GREY[0], GREY[1, :7]]), "all of one size"),
    "grey and colour": (
        lambda: reslag_vae.fit([Image.new("L", (8, 8)), Image.new("RGB", (8, 8))]),
        r"^pictures: all with as many channels are wanted, and these have 1 and 3",
    ),
    "iterator": (lambda: reslag_vae.fit(iter(PIXELS)), "can be read only once"),
    "endless": (lambda: reslag_vae.fit(DataLoader(Endless())), "can be read only once"),
    "pair": (lambda: reslag_vae.fit((PIXELS, [1])), "labels go into labels="),
    "number": (lambda: reslag_vae.fit(3), "and this is int"),
    "nothing": (lambda: reslag_vae.fit(), "pictures: give a folder"),
    "an option for pictures": (
        lambda: reslag_vae.fit("trainer.max_epochs=1", data="digits"),
        "^trainer.max_epochs=1: stands where the pictures do; .*None",
    ),
    "an option for pictures of a run that goes on": (
        lambda: reslag_vae.fit("trainer.max_epochs=9", resume="."),
        "^trainer.max_epochs=9: stands where the pictures do",
    ),
    "an option for pictures of a run": (
        lambda: reslag_vae.fit("trainer.max_epochs=1", model="fitted_prior", run="."),
        "^trainer.max_epochs=1: stands where the pictures do",
    ),
    "two": (lambda: reslag_vae.fit(PIXELS, data="digits"), "give one of them"),
    "two folders": (lambda: reslag_vae.fit(".", "data.folder=x"), "set by the argument pictures"),
    "a folder": (lambda: reslag_vae.fit(PIXELS, "+data.folder=x"), "set by the argument pictures"),
    "two sizes": (
        lambda: reslag_vae.fit(".", "data.size=32", size=64),
        "data.size: is set by the argument size",
    ),
    "two parts": (
        lambda: reslag_vae.fit(PIXELS, "data.val_fraction=0.2", validation=0.1),
        "set by the argument validation",
    ),
    "no folder": (lambda: reslag_vae.fit("nowhere"), "there is no such folder"),
    "a file": (lambda: reslag_vae.fit(__file__), "give the folder of the pictures"),
    "size": (lambda: reslag_vae.fit(PIXELS, size=64), "is of a folder of pictures"),
    "validation": (lambda: reslag_vae.fit(PIXELS, validation=PIXELS[..., 1:]), "as in training"),
    "no part": (
        lambda: reslag_vae.fit(PIXELS, validation=5),
        r"data.val_fraction=5: must be a number above 0",
    ),
    "numpy's part": (
        lambda: reslag_vae.fit(PIXELS, validation=np.float32(2)),
        r"data.val_fraction=2.0: must be a number above 0",
    ),
    "validation folder": (
        lambda: reslag_vae.fit(PIXELS, validation="/a/folder"),
        "^validation: a part of train, as 0.1, or images in memory, .* this is str",
    ),
    "size of a data set": (lambda: reslag_vae.fit(data="digits", size=64), "^size=64: is of a f"),
    "no name": (lambda: reslag_vae.fit(""), "^pictures='': name a folder"),
    "no name of the run": (lambda: reslag_vae.fit(PIXELS, folder=""), "^folder='': name a folder"),
    "keyword": (lambda: reslag_vae.fit(PIXELS, modle="vae"), "did you mean model"),
    "option": (lambda: reslag_vae.fit(PIXELS, batch_size=3), "write 'data.batch_size=...'"),
    "choice": (lambda: reslag_vae.fit(PIXELS, model="va"), "did you mean model=vae"),
    "override": (lambda: reslag_vae.fit(PIXELS, "trainer.max_epoch=3"), "did you mean"),
    "no text": (lambda: reslag_vae.fit(PIXELS, 5), "texts of the form name=value"),  # type: ignore[arg-type]
    "several": (lambda: reslag_vae.fit(PIXELS, "seed=0,1"), "seed=0,1: takes one value"),
    "study": (lambda: reslag_vae.fit(PIXELS, experiment="table1"), "on the command line"),
    "devices": (lambda: reslag_vae.fit(PIXELS, "trainer.devices=2"), "has one device"),
    "hydra": (lambda: reslag_vae.fit(PIXELS, "hydra.run.dir=x"), "named by folder="),
    "model": (lambda: reslag_vae.fit(PIXELS, model=Tensor), "takes a name"),
    "trained": (
        lambda: reslag_vae.fit(PIXELS, model=trained()),
        "all of its parameters stand still",
    ),
    "double": (lambda: reslag_vae.fit(PIXELS, model=by_hand().double()), "call its float"),
    "inference": (
        lambda: reslag_vae.fit(PIXELS, model=made_in_inference_mode()),
        "was made in torch.inference_mode",
    ),
    "inference mode": (lambda: fit_in(torch.inference_mode()), "nothing is trained in it"),
    "default type": (lambda: fit_in(double_by_default()), "call torch.set_default_dtype"),
    "default device": (lambda: fit_in(torch.device("meta")), "torch.set_default_device"),
    "autocast": (lambda: fit_in(torch.autocast("cpu")), "trainer.precision=bf16-mixed"),
    "by hand": (
        lambda: reslag_vae.fit(PIXELS, model=by_hand(), objective="beta"),
        "objective=beta: has no effect, since the model was made by hand",
    ),
    "other images than those of a network by hand": (
        lambda: reslag_vae.fit(PIXELS[..., 1:], model=by_hand()),
        r"recipe.image_shape=\[1,8,7\], or, of a network that was made by hand, one for these",
    ),
    "unread": (
        lambda: reslag_vae.fit(PIXELS, "recipe.beta=4", model="vae"),
        "nothing of this run reads it",
    ),
    "two models": (lambda: reslag_vae.fit(PIXELS, "model=vae", model=by_hand()), "made by hand"),
    "pictures of a resumed run": (
        lambda: reslag_vae.fit(PIXELS, resume="x"),
        "resume: goes on with the pictures of the run; leave pictures out",
    ),
    "labels of a resumed run": (
        lambda: reslag_vae.fit(resume="x", labels=[1]),
        "resume: goes on with the pictures of the run; leave labels out",
    ),
    "validation of a resumed run": (
        lambda: reslag_vae.fit(resume="x", validation=0.1),
        "leave validation out",
    ),
    "size of a resumed run": (lambda: reslag_vae.fit(resume="x", size=8), "leave size out"),
    "channels of a resumed run": (
        lambda: reslag_vae.fit(resume="x", channels=1),
        "leave channels out",
    ),
    "another folder of a resumed run": (
        lambda: reslag_vae.fit(resume="x", folder="y"),
        "resume: goes on in the folder of the run; leave folder out",
    ),
    "no run": (lambda: reslag_vae.fit(resume="nowhere"), "is not the folder of a run"),
    "no first run": (
        lambda: reslag_vae.fit(model="fitted_prior", run="nowhere"),
        "is not the folder of a run",
    ),
    "no first run of build": (
        lambda: reslag_vae.build("model=code_prior", "run=nowhere"),
        "is not the folder of a run",
    ),
    "run is null": (
        lambda: reslag_vae.fit(data="digits", model="code_prior"),
        "run=null: name the folder of the run",
    ),
    "pictures of a run": (
        lambda: reslag_vae.fit(PIXELS, model="fitted_prior", run="."),
        "has those of its run",
    ),
    "run of another model": (
        lambda: reslag_vae.fit(None, "callbacks.collapse=null", model="vae", run="."),
        "^run: there is no such option in what was chosen",
    ),
    "build": (lambda: reslag_vae.build("data=digits", modle="vae"), "did you mean model"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trained_on_is_refused_in_one_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    attempt, said = REFUSED[name]
    with pytest.raises(UserError, match=said) as refused:
        attempt()
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir()), "something was written"
