"""Checks of a configuration before PyTorch is loaded, with one-sentence errors.

Each error names the option, its value and what is wanted.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from reslag_vae._runtime.errors import ConfigError, first_line
from reslag_vae.options.kinds import shown
from reslag_vae.options.suggestions import choices_with, nearest
from reslag_vae.options.table import (
    ASKED,
    EVALUATE,
    GROUPS,
    METRICS,
    NEEDED,
    OF_LATENT,
    PARTS,
    REFUSED,
    RENAMED,
    TRAIN,
    TRAINER,
)


def require(name: str, value: Any) -> None:
    """Refuse a value that an option of train.py may not have.

    Args:
        name: dotted name of the option.
        value: value of the option.

    Raises:
        ValueError: the value is wrong; the message names the option, the value and what is wanted.
    """
    TRAIN[name].require(name, value)


def check(config: DictConfig) -> None:
    """Refuse a run's configuration that would fail or mislead later.

    Raises:
        ConfigError: an option is wrong; the message names it, its value and what is wanted.
    """
    check_tree(resolved(config))


def check_tree(tree: Mapping[str, Any]) -> None:
    """Refuse a run's configuration in plain containers that would fail or mislead later.

    Raises:
        ConfigError: an option is wrong; the message names it, its value and what is wanted.
    """
    for group in NEEDED:
        if not isinstance(tree.get(group), dict):
            raise ConfigError(
                f"{group}={shown(tree.get(group))}: a run needs it; choose one by {group}=name."
            )
    for group in NEEDED:
        if group != "callbacks" and not isinstance(tree[group].get("_target_"), str):
            raise ConfigError(f"{group}: does not name its class by _target_.")
    check_callbacks(tree["callbacks"])
    for name, value in sorted(leaves(tree), key=lambda leaf: precedence(leaf[0])):
        check_leaf(name, value, tree)
    check_together(tree)


def precedence(name: str) -> tuple[bool, int]:
    """Return a sort key that checks an option before those that refer to it.

    The seed comes before the seed of the data, the recipe before the network.
    """
    group = name.partition(".")[0]
    return "." in name, GROUPS.index(group) if group in GROUPS else len(GROUPS)


def resolved(config: DictConfig) -> dict[str, Any]:
    """Return a configuration in plain containers, with its interpolations resolved.

    Raises:
        ConfigError: an option has no value, or refers to an option that does not exist.
    """
    try:
        missing = sorted(
            map(str, OmegaConf.missing_keys(config)), key=lambda name: name not in ASKED
        )
        if missing:
            raise ConfigError(needed(missing[0], config))
        tree = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error.full_key}: {first_line(error)}") from None
    assert isinstance(tree, dict), "a configuration has names"
    return {str(name): value for name, value in tree.items()}


def needed(name: str, config: DictConfig) -> str:
    """Return the sentence that names an option which has no value and needs one."""
    chosen = str(config.get("data", {}).get("_target_", "")) if name.startswith("data.") else ""
    who = f"data={snake(chosen)}" if chosen else "This command"
    return f"{who} needs {ASKED.get(name, f'{name}=...')}."


def snake(target: str) -> str:
    """Return a class name in snake case: `image_folder` for `reslag_vae.data.ImageFolder`."""
    name = target.rpartition(".")[2]
    words = [f"_{letter.lower()}" if letter.isupper() else letter for letter in name]
    return "".join(words).lstrip("_")


def leaves(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and value of every option but those of `model`.

    A list is yielded as a whole.
    """
    for name, value in tree.items():
        if name == "model" or name.startswith("_"):
            continue
        if name in ("logger", "experiment") and value is None:
            continue
        if isinstance(value, dict) and name not in TRAIN:
            yield from leaves_of(value, name)
        else:
            yield name, value


def leaves_of(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and value of every option below a node, without its `_target_`."""
    for name, value in node.items():
        dotted = f"{path}.{name}"
        if str(name).startswith("_"):
            continue
        if isinstance(value, dict) and dotted not in TRAIN and value:
            yield from leaves_of(value, dotted)
        else:
            yield dotted, value


def check_leaf(name: str, value: Any, tree: Mapping[str, Any]) -> None:
    """Refuse the value of one option, or an option that does not exist.

    Raises:
        ConfigError: the option or its value is wrong; the message names it.
    """
    group, _, rest = name.partition(".")
    if group == "trainer" and rest in REFUSED:
        harmless, instead = REFUSED[rest]
        if value not in (None, harmless):
            raise ConfigError(f"{name}={shown(value)}: {instead}.")
        return
    kind = TRAIN.get(name) or (TRAINER.get(rest) if group == "trainer" else None)
    if name == "optimizer.plateau" and value is not None:
        raise ConfigError(
            f"{name}={shown(value)}: must be null; choose the rule by optimizer=adam_plateau."
        )
    if kind is None:
        if not is_free(name, value, tree):
            raise ConfigError(
                f"{name}={shown(value)}: there is no such option{did_you_mean(name)}."
            )
        return
    try:
        kind.require(name, value)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def is_free(name: str, value: Any, tree: Mapping[str, Any]) -> bool:
    """Return whether an option that the table lacks may be set.

    It may if it belongs to a class of the user's own, or to a part that is left out.
    """
    group, _, rest = name.partition(".")
    if name == "optimizer.plateau":
        return value is None
    node = tree.get(group)
    if group in PARTS:
        return True
    if group == "callbacks":
        part = rest.partition(".")[0]
        own = node.get(part) if isinstance(node, dict) else None
        return own is None or (isinstance(own, dict) and not is_ours(own))
    return group in GROUPS and isinstance(node, dict) and not is_ours(node)


def is_ours(node: Mapping[str, Any]) -> bool:
    """Return whether this package or Lightning builds a node, so that its options are known."""
    target = str(node.get("_target_", "reslag_vae."))
    return target.startswith(("reslag_vae.", "lightning."))


def check_callbacks(callbacks: Mapping[str, Any]) -> None:
    """Refuse nodes of `callbacks` that do not describe a callback.

    Raises:
        ConfigError: a node is wrong; the message names it.
    """
    for name, node in callbacks.items():
        if node is not None and (not isinstance(node, dict) or "_target_" not in node):
            raise ConfigError(
                f"callbacks.{name}={shown(node)}: must be null, or name its class by _target_."
            )
    if not callbacks.get("checkpoint"):
        raise ConfigError(
            "callbacks.checkpoint=null: without checkpoints there is no best epoch to be tested."
        )


def check_together(tree: Mapping[str, Any]) -> None:
    """Refuse options that conflict with each other.

    Raises:
        ConfigError: two options conflict; the message names them.
    """
    optimizer, trainer = tree["optimizer"], tree["trainer"]
    plateau = optimizer.get("plateau")
    if isinstance(plateau, dict) and plateau.get("stop_below", 0) >= optimizer.get("lr", 1):
        raise ConfigError(
            f"optimizer.plateau.stop_below={plateau['stop_below']}: must be below "
            f"optimizer.lr={optimizer['lr']}, or the run ends at its first epoch."
        )
    if trainer.get("devices") == 0:
        raise ConfigError(
            "trainer.devices=0: must be a number of devices, a list of them, auto, or -1 for all."
        )
    recipe = tree.get("recipe")
    if not isinstance(recipe, dict):
        raise ConfigError(f"recipe={shown(recipe)}: a run needs it.")
    channels, blocks = recipe.get("channels", []), recipe.get("blocks", [])
    if len(channels) != len(blocks):
        raise ConfigError(
            f"recipe.channels={channels} and recipe.blocks={blocks}: must be of equal length."
        )
    own = [node for node in tree["callbacks"].values() if node and not is_ours(node)]
    monitor = tree.get("monitor")
    if not isinstance(monitor, str):
        raise ConfigError(f"monitor={shown(monitor)}: must be the name of a metric.")
    if monitor not in METRICS and not own:
        raise ConfigError(
            f"monitor={shown(monitor)}: there is no such metric{did_you_mean(monitor, METRICS)}."
        )
    if monitor in (f"val/{name}" for name in OF_LATENT):
        raise ConfigError(
            f"monitor={monitor}: the epoch with the smallest value is kept, and of this a large "
            "one is good."
        )


def check_evaluation(config: DictConfig) -> None:
    """Refuse an evaluation's configuration that would fail or mislead later.

    Raises:
        ConfigError: an option is wrong; the message names it, its value and what is wanted.
    """
    tree = resolved(config)
    for name, value in tree.items():
        if name == "logger":
            if value is not None and not isinstance(value, dict):
                raise ConfigError(
                    f"logger={shown(value)}: choose one by logger=wandb or logger=none."
                )
            continue
        if name not in EVALUATE:
            near = did_you_mean(name, tuple(EVALUATE))
            raise ConfigError(f"{name}={shown(value)}: there is no such option{near}.")
        try:
            EVALUATE[name].require(name, value)
        except ValueError as error:
            raise ConfigError(str(error)) from None


def did_you_mean(name: str, names: tuple[str, ...] = ()) -> str:
    """`; did you mean ...?` with the nearest name, or nothing where none is near.

    Of a name that is an option of other choices it says that.
    """
    others = choices_with(name)
    if others:
        return f" in what was chosen; there is with {', '.join(others)}"
    near = nearest(name, names or (*TRAIN, *(f"trainer.{own}" for own in TRAINER)))
    if near == name:
        return " in what was chosen"
    return f"; did you mean {near}" if near else ""


def renamed(arguments: Sequence[str]) -> list[str]:
    """Return a command's arguments with today's names of options, where version 0.1 had others.

    Those were the options of objective=sigma_*. Another objective, such as one of the user's own,
    may have options by the same names: they stay.
    """
    chosen = [argument for argument in arguments if argument.startswith("objective=")]
    if chosen and not chosen[-1].startswith("objective=sigma_"):
        return list(arguments)
    return [with_new_name(argument) for argument in arguments]


def with_new_name(argument: str) -> str:
    """Return one argument of a command with today's name of its option."""
    option, equals, value = argument.partition("=")
    name = option.lstrip("+~")
    mark = option.removesuffix(name)
    return f"{mark}{RENAMED.get(name, name)}{equals}{value}"
