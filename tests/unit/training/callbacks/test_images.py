"""Pictures of every epoch."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning import Trainer
from PIL import Image
from torch import Tensor

from reslag_vae.data import ImageDataModule
from reslag_vae.data.images import Batch
from reslag_vae.networks import Network
from reslag_vae.runs.formats import read_arrays
from reslag_vae.training.callbacks import ImageGrids
from reslag_vae.training.callbacks import images as module
from reslag_vae.training.callbacks.images import picture_rows
from reslag_vae.training.callbacks.pace import DrawingPace
from reslag_vae.variants import VAE
from tests.systems import make_system

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]
NAMES = ("reconstructions", "prior_samples")


def test_pictures_are_written_as_png(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    fit(make_system(VAE, make_network(), "elbo"), make_data(), callbacks=[ImageGrids(count=3)])
    for name in NAMES:
        with Image.open(tmp_path / "figures" / f"{name}.png") as picture:
            picture.verify()
            assert picture.format == "PNG"
    files = {path.name for path in (tmp_path / "figures").iterdir()}
    assert files == {"images.npz", *(f"{name}.png" for name in NAMES)}
    images = read_arrays(tmp_path / "figures" / "images.npz")
    assert set(images) == {"originals", *NAMES}
    assert {own.shape for own in images.values()} == {(3, 1, 8, 8)}
    assert {own.dtype.name for own in images.values()} == {"uint8"}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[str, Tensor]]]:
    """The rows of every picture, in place of the pictures."""
    rows: list[list[tuple[str, Tensor]]] = []
    monkeypatch.setattr(module, "image_grid", lambda grid, _: rows.append(grid))
    monkeypatch.setattr(module, "save_figure", lambda *_: None)
    monkeypatch.setattr(DrawingPace, "due", True)
    return rows


def test_every_epoch_shows_the_same_first_images_of_validation(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, drawn: list[list[tuple[str, Tensor]]]
) -> None:
    data, model = make_data(val=11, batch_size=2), make_system(VAE, make_network(), "elbo")
    fit(model, data, 2, [ImageGrids(count=7)], num_sanity_val_steps=2)
    assert len(drawn) == 4
    for (_, originals), (_, reconstructions) in (drawn[0], drawn[2]):
        assert torch.equal(originals, data.split("val").images[:7] / 255)
        assert reconstructions.shape == originals.shape
    with torch.no_grad():
        torch.testing.assert_close(
            drawn[2][1][1], model.eval().model.reconstruct(data.split("val").images[:7])
        )


def test_a_split_of_few_images_shows_each_once_in_every_epoch(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, drawn: list[list[tuple[str, Tensor]]]
) -> None:
    data = make_data(val=3, batch_size=2)
    fit(make_system(VAE, make_network(), "elbo"), data, 2, [ImageGrids(count=7)])
    assert len(drawn) == 4
    for (_, originals), _ in (drawn[0], drawn[2]):
        assert torch.equal(originals, data.split("val").images / 255)


def test_samples_of_all_epochs_have_the_same_latents(make_network: MakeNetwork) -> None:
    model = make_system(VAE, make_network(), "elbo")
    originals = Batch(torch.rand(4, 1, 8, 8), torch.full((4,), -1))
    model.train()
    random = torch.get_rng_state()
    torch.testing.assert_close(
        *(picture_rows(model, originals)["prior_samples"][0][1] for _ in range(2)), rtol=0, atol=0
    )
    assert model.training
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize(("every", "epochs", "pictures"), [(1, 3, 3), (2, 4, 2), (5, 2, 1)])
def test_pictures_are_drawn_every_so_many_epochs(
    every: int,
    epochs: int,
    pictures: int,
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
    drawn: list[list[tuple[str, Tensor]]],
) -> None:
    fit(
        make_system(VAE, make_network(), "elbo"),
        make_data(train=8),
        epochs,
        [ImageGrids(count=2, every=every)],
    )
    assert len(drawn) == 2 * pictures


def test_a_picture_says_what_it_shows(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(
        module,
        "image_grid",
        lambda grid, title: shown.append((title, [label for label, _ in grid])),
    )
    monkeypatch.setattr(module, "save_figure", lambda *_: None)
    model, grids = make_system(VAE, make_network(), "elbo"), ImageGrids(count=2)
    trainer = fit(model, make_data(train=8), 1, [grids])
    grids.draw(trainer, model, 7)
    rows = ["original", "posterior mean"], ["prior sample"]
    for epoch, pair in ((1, shown[:2]), (7, shown[2:])):
        assert pair == [
            (f"reconstructions: VAE, epoch {epoch}", rows[0]),
            (f"prior samples: VAE, epoch {epoch}", rows[1]),
        ]


def test_without_validation_images_nothing_is_drawn(
    make_network: MakeNetwork, drawn: list[list[tuple[str, Tensor]]]
) -> None:
    trainer = Trainer(logger=False, accelerator="cpu", enable_checkpointing=False)
    ImageGrids().draw(trainer, make_system(VAE, make_network(), "elbo"), 1)
    assert drawn == []
