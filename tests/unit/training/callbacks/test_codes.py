"""The table of codes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Trainer

from reslag_vae.data import ImageDataModule
from reslag_vae.networks import Network
from reslag_vae.runs.lightning_tracker import LightningTracker
from reslag_vae.training.callbacks import CodeTable
from reslag_vae.variants import VAE
from tests.recorder import Recorder
from tests.systems import make_system


class Tables(LightningTracker):
    """A tracker that keeps the tables that it is given."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Recorder(str(folder)))
        self.tables: list[tuple[str, list[str], list[Sequence[Any]]]] = []

    def show_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self.tables.append((name, list(columns), list(rows)))


def test_images_from_all_over_validation_are_beside_their_codes(
    make_network: Callable[..., Network],
    make_data: Callable[..., ImageDataModule],
    fit: Callable[..., Trainer],
    tmp_path: Path,
) -> None:
    model, data, tracker = make_system(VAE, make_network(), "elbo"), make_data(), Tables(tmp_path)
    trainer = fit(model, data, logger=tracker, log_every_n_steps=1)
    CodeTable(count=4).draw(trainer, model)
    [(name, columns, rows)] = tracker.tables
    assert (name, columns) == ("codes", ["image", "class", "z1", "z2", "z3"])
    shown = data.split("val").images[[0, 2, 5, 8]]  # of 11
    codes = model.model.encode(shown)
    assert len(rows) == 4
    for (picture, _, *code), image, own in zip(rows, shown, codes, strict=True):
        assert np.array_equal(picture, image[0].numpy())
        torch.testing.assert_close(torch.tensor(code), own)
