"""The options of a run under flat names, as a dashboard groups and filters by."""

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf


def flat_names(config: DictConfig, names: Mapping[str, str]) -> dict[str, Any]:
    """Return some names and every option of a run, each option under its own dotted path.

    Args:
        config: configuration of the run.
        names: names of the model, the data and so on.
    """
    tree = OmegaConf.to_container(config, resolve=True)
    assert isinstance(tree, dict)
    parts = ("network", "posterior", "prior", "likelihood", "objective", "schedule")
    groups = ("data", *parts, "optimizer", "trainer")
    options = flatten({group: tree[group] for group in groups})
    return {**names, "seed": config.seed} | dict(options)


def flatten(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a tree by dotted names, as ("data.batch_size", 32); lists stay whole."""
    if not isinstance(tree, dict):
        yield path, tree
        return
    for key, value in tree.items():
        yield from flatten(value, f"{path}.{key}" if path else key)
