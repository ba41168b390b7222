"""The options of a run under flat names, as a dashboard groups and filters by."""

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from reslag_vae.runs.differences import WATCHING


def flat_names(config: DictConfig, names: Mapping[str, str]) -> dict[str, Any]:
    """Return some names and the options that tell runs apart, each under its own dotted path.

    These are all but what a recipe repeats, the loggers', and those of callbacks that only watch.

    Args:
        config: configuration of the run.
        names: names of the model, the data and so on.
    """
    tree = OmegaConf.to_container(config, resolve=True)
    assert isinstance(tree, dict)
    parts = ("network", "posterior", "prior", "likelihood", "condition", "objective", "schedule")
    groups = ("data", *parts, "optimizer", "trainer", "monitor", "run")  # the run of a second stage
    told = {group: tree[group] for group in groups if tree.get(group) is not None}
    callbacks: dict[str, Any] = tree.get("callbacks") or {}
    acting = {name: own for name, own in callbacks.items() if name not in WATCHING and own}
    condition = tree["condition"]["kind"] if "condition" in told else "none"
    named = {**names, "condition": condition, "seed": config.seed}
    return named | dict(flatten(told | {"callbacks": acting}))


def flatten(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a tree by dotted names, as ("data.batch_size", 32); lists stay whole."""
    if not isinstance(tree, dict):
        yield path, tree
        return
    for key, value in tree.items():
        yield from flatten(value, f"{path}.{key}" if path else key)
