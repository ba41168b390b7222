"""The options of a run by flat names, for a dashboard."""

from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from reslag_vae.data import ImageDataModule
from reslag_vae.training.system import BaseVAE


def flat_names(config: DictConfig, data: ImageDataModule, model: BaseVAE) -> dict[str, Any]:
    """What a dashboard groups and filters by: names first, then every option under its own path."""
    names: dict[str, Any] = {
        "model": model.name,
        "data": data.name,
        "objective": model.objective.name,
        "schedule": model.schedule.name,
        "seed": config.seed,
    }
    tree = OmegaConf.to_container(config, resolve=True)
    assert isinstance(tree, dict)
    groups = ("data", "network", "objective", "schedule", "optimizer", "trainer")
    return names | dict(flatten({group: tree[group] for group in groups}))


def flatten(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """("data.batch_size", 32) and so on; lists stay whole."""
    if not isinstance(tree, dict):
        yield path, tree
        return
    for key, value in tree.items():
        yield from flatten(value, f"{path}.{key}" if path else key)
