"""Which runs are evaluated on the same data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from reslag_vae.data import Arrays, CelebA
from reslag_vae.evaluation.main import read_data
from reslag_vae.runs.config import load_config
from reslag_vae.runs.folder import CONFIG_FILE, IMAGES_FILE
from reslag_vae.runs.load import Run
from tests.faces import write_faces

Compose = Callable[..., DictConfig]


def begun(folder: Path, data: dict[str, Any], condition: dict[str, Any] | None = None) -> Run:
    """A run of which the folder, with its configuration, is all that its data need."""
    folder.mkdir(exist_ok=True)
    content = {"seed": 0, "data": data, "model": {"model": {"condition": condition}}}
    OmegaConf.save(OmegaConf.create(content), folder / CONFIG_FILE)
    rest = cast(Any, [None] * 4)
    return Run(folder, load_config(folder), *rest, "best", 1, [], {})


@pytest.fixture
def faces(tmp_path: Path) -> dict[str, Any]:
    """The node of a small CelebA with two attributes."""
    write_faces(tmp_path, ["Smiling", "Young"])
    return {
        "_target_": "reslag_vae.data.CelebA",
        "root": str(tmp_path),
        "batch_size": 8,
        "val_fraction": 0.3,
        "seed": 0,
        "size": 16,
    }


def test_models_that_are_told_other_attributes_do_not_share_their_data(
    faces: dict[str, Any], compose: Compose, tmp_path: Path
) -> None:
    conditions: list[dict[str, Any] | None] = [
        None,
        *({"kind": "attributes", "names": [name]} for name in ("Smiling", "Young", "Young")),
    ]
    runs = [begun(tmp_path / f"{i}", faces, own) for i, own in enumerate(conditions)]
    plain, smiling, young, other = read_data(runs, compose("run=any", script="evaluate"), ())
    assert isinstance(young, CelebA)
    every = young.attributes("val")
    assert every is not None
    assert plain.split("val").told.dim() == 1
    assert torch.equal(smiling.split("val").told, every[:, :1])
    assert torch.equal(young.split("val").told, every[:, 1:])
    assert other is young


def test_runs_that_keep_their_images_do_not_share_them(compose: Compose, tmp_path: Path) -> None:
    node = {"_target_": "reslag_vae.data.Arrays", "root": str(tmp_path), "folder": None}
    stores, runs = [], []
    for seed in range(2):
        stream = np.random.default_rng(seed)
        own = Arrays(stream.integers(256, size=(20, 8, 8), dtype=np.uint8))
        run = begun(tmp_path / f"{seed}", node)
        own.keep(run.folder / IMAGES_FILE)
        stores.append(own.store)
        runs.append(run)
    read = read_data(runs, compose("run=any", script="evaluate"), ())
    for data, store in zip(read, stores, strict=True):
        assert torch.equal(data.split("train").store, store)
