"""Suggestions for misspelt option names."""

from collections.abc import Iterable
from difflib import get_close_matches

from omegaconf import OmegaConf

from reslag_vae._runtime.invocation import configuration_folder
from reslag_vae.options.table import TRAIN
from reslag_vae.options.trainer import TRAINER

# What other programs call an option, or a group
ELSEWHERE = {
    "epochs": "trainer.max_epochs",
    "num_epochs": "trainer.max_epochs",
    "max_epochs": "trainer.max_epochs",
    "learning_rate": "optimizer.lr",
    "dataset": "data",
    "device": "trainer.accelerator",
    "gpus": "trainer.devices",
}


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the known name that is most like a given one, or None if none is like it.

    A name without dots is compared with the last parts of the known names too, so that
    `batch_size` gives `data.batch_size`, and one with dots with no group's name. Before that, what
    other programs call an option gives it. Capitals, as in `MNIST`, are taken
    for small letters where nothing has them.
    """
    known = list(dict.fromkeys(names))
    usual = ELSEWHERE.get(name.removeprefix("trainer."))
    if usual in known:
        return usual
    if "." not in name:
        found = get_close_matches(name, [own for own in known if "." not in own], 1, 0.75)
        if found:
            return found[0]
        by_last: dict[str, str] = {}
        for own in known:
            by_last.setdefault(own.rpartition(".")[2], own)
        found = get_close_matches(name, by_last, 1, 0.75)
        if found:
            return by_last[found[0]]
        found = get_close_matches(name, known, 1, 0.75)
    else:
        found = get_close_matches(name, [own for own in known if "." in own], 1, 0.75)
    if found:
        return found[0]
    # Of a short name two letters that have changed places are a large part.
    swapped = next((own for own in known if sorted(own) == sorted(name)), None)
    return swapped or (nearest(name.lower(), known) if name != name.lower() else None)


def did_you_mean(name: str, names: tuple[str, ...] = ()) -> str:
    """Return `; did you mean ...` with the nearest known name, or an empty text if none is near.

    If the name is an option of other choices, or a known one which the chosen parts do not have,
    return that.

    Args:
        name: name that was not found.
        names: known names; empty for all options of training.
    """
    choices = choices_with(name)
    if choices:
        return f" in what was chosen; there is with {', '.join(choices)}"
    near = nearest(name, names or (*TRAIN, *(f"trainer.{own}" for own in TRAINER)))
    if near == name:
        return " in what was chosen"
    return f"; did you mean {near}" if near else ""


def is_known(name: str) -> bool:
    """Return whether a name is that of an option of training, or of a node of options."""
    return any(option == name or option.startswith(f"{name}.") for option in TRAIN)


def choices_with(option: str) -> list[str]:
    """Return the choices of an option's group that have it: `data=mnist` for `data.binarize`."""
    group, _, path = option.partition(".")
    named = bool(path) and group.isidentifier()
    files = sorted((configuration_folder() / group).glob("*.yaml")) if named else []
    return [f"{group}={file.stem}" for file in files if has_option(file.read_text(), group, path)]


def has_option(text: str, group: str, path: str) -> bool:
    """Return whether a file of the configuration sets an option of its group.

    Args:
        text: content of the file.
        group: the group that the file is in.
        path: dotted name of the option within the group.
    """
    tree = OmegaConf.to_container(OmegaConf.create(text))
    node = tree.get(group) if isinstance(tree, dict) and "@package _global_" in text else tree
    for name in path.split("."):
        if not isinstance(node, dict) or name not in node:
            return False
        node = node[name]
    return True
