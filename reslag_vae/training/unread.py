"""The check that a run reads what the command line sets."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from reslag_vae._runtime.errors import ConfigError
from reslag_vae._runtime.invocation import configuration_folder

# Groups whose nodes stand beside the model's, which refers to those that it is made of
PARTS = ("network", "posterior", "prior", "likelihood", "condition", "schedule", "optimizer")
REFERRED_TO = (*PARTS, "objective", "recipe")

# Nodes that are referred to: ${network}, ${recipe.beta} and ${oc.select:network.units,1}
REFERENCE = re.compile(r"\$\{(?:oc\.select:)?([a-z_]\w*(?:\.\w+)*)[,}]")


def refuse_unread(config: DictConfig, overrides: Sequence[str], model: str | None) -> None:
    """Refuse overrides of the command line that change nothing.

    Raises:
        ConfigError: see `unread`; the message is that of the first.
    """
    for sentence in unread(config, overrides, model):
        raise ConfigError(sentence)


def unread(config: DictConfig, overrides: Sequence[str], model: str | None) -> Iterator[str]:
    """Yield a sentence for each override of a part that the model has not, or of an unused recipe.

    `network=linear` changes nothing of a model without a network, `recipe.beta=4` nothing under an
    objective that has no such weight.

    Args:
        config: configuration that Hydra has composed, with its references.
        overrides: overrides of the command line.
        model: choice of `model=`; None for a model that was made by hand.
    """
    names = references(OmegaConf.to_container(config, resolve=False))
    # What a length in epochs is computed of, once the data are read.
    names.add("recipe.updates")
    if "recipe.aggressive_epochs" in names:
        names.add("recipe.aggressive_updates")
    for own in overrides:
        name = own.lstrip("+~").partition("=")[0].partition("@")[0]
        group = name.partition(".")[0]
        if group not in REFERRED_TO or any(is_of(name, read) for read in names):
            continue
        if model is None:
            why = "the model was made by hand; leave it out"
        elif group != "recipe":
            why = f"model={model} takes no {group}; leave it out"
        else:
            readers = " and ".join(choices_reading(name, names))
            why = "nothing of this run reads it" + (f"; {readers} would" if readers else "")
        yield f"{own}: has no effect, since {why}."


def references(tree: Any) -> set[str]:
    """Return the names that a configuration refers to from what every run reads.

    Args:
        tree: the configuration in plain containers, with its references.
    """
    found: set[str] = set()
    unseen = [own for name, own in tree.items() if name not in REFERRED_TO]
    while unseen:
        node = unseen.pop()
        if isinstance(node, dict | list):
            unseen.extend(node.values() if isinstance(node, dict) else node)
        elif isinstance(node, str):
            new = set(REFERENCE.findall(node)) - found
            found |= new
            unseen.extend(node_at(tree, name) for name in new)
    return found


def node_at(tree: Any, name: str) -> Any:
    """Return the node of a dotted name, or None if there is none."""
    for part in name.split("."):
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree


def is_of(name: str, read: str) -> bool:
    """Return whether one of two dotted names is the other, or a part of it."""
    return f"{name}.".startswith(f"{read}.") or f"{read}.".startswith(f"{name}.")


def choices_reading(name: str, names: set[str]) -> list[str]:
    """Return the choices that refer to a name, group by group, as on the command line.

    Args:
        name: the name.
        names: what a run refers to; a group that is not among them is none of its model's.
    """
    found = []
    for group in REFERRED_TO:
        files = sorted((configuration_folder() / group).glob("*.yaml"))
        own = [file.stem for file in files if name in REFERENCE.findall(file.read_text())]
        if own and group in names:
            found.append(f"{group}={', '.join(own)}")
    return found
