"""The checks of a run's configuration before PyTorch is loaded, with one-sentence errors.

Each error names the option, its value and what is wanted.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.options.condition import condition_of, named
from reslag_vae.options.kinds import shown
from reslag_vae.options.length import settled
from reslag_vae.options.metrics import METRICS, NO_LOSS, of_all_levels
from reslag_vae.options.renamed import RENAMED
from reslag_vae.options.resolution import refuse_absent, resolved
from reslag_vae.options.suggestions import did_you_mean
from reslag_vae.options.table import GROUPS, NEEDED, PARTS, TRAIN
from reslag_vae.options.trainer import REFUSED, TRAINER


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

    Its length and the names of its condition may be open, as long as the data are not read.

    Raises:
        ConfigError: an option is wrong; the message names it, its value and what is wanted.
    """
    condition_of(config)
    check_tree(resolved(named(settled(config, images=1))))


def check_tree(tree: Mapping[str, Any]) -> None:
    """Refuse a run's configuration in plain containers that would fail or mislead later.

    Raises:
        ConfigError: an option is wrong; the message names it, its value and what is wanted.
    """
    refuse_absent(tree)
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


def leaves(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and value of every option but those of `model`.

    A list is yielded as a whole.
    """
    for name, value in tree.items():
        if name == "model" or name.startswith("_"):
            continue
        if name in ("logger", "experiment", "condition") and value is None:
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
    if name in RENAMED and is_ours(tree[group]):
        raise ConfigError(f"{name}={shown(value)}: is called {RENAMED[name]} now.")
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
    if group == "logger" and isinstance(node, dict):
        inner = node.get(rest.partition(".")[0])
        if isinstance(inner, dict) and "_target_" in inner:
            return True  # one of Lightning's loggers, or of the user's own
    return group in GROUPS and isinstance(node, dict) and not is_ours(node)


def is_ours(node: Mapping[str, Any]) -> bool:
    """Return whether the options of a node are known: of this package's classes, and the Trainer.

    Lightning's callbacks and loggers refuse their options themselves.
    """
    target = str(node.get("_target_", "reslag_vae."))
    return target.startswith("reslag_vae.") or target == "lightning.Trainer"


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
    fewest, most = trainer.get("min_epochs"), trainer.get("max_epochs")
    if fewest is not None and most is not None and fewest > most:
        raise ConfigError(
            f"trainer.min_epochs={fewest}: must be at most trainer.max_epochs={most}, after which "
            "a run ends."
        )
    recipe = tree.get("recipe")
    if not isinstance(recipe, dict):
        raise ConfigError(f"recipe={shown(recipe)}: a run needs it.")
    channels, blocks = recipe.get("channels", []), recipe.get("blocks", [])
    if len(channels) != len(blocks):
        raise ConfigError(
            f"recipe.channels={channels} and recipe.blocks={blocks}: must be of equal length."
        )
    updates, aggressive = recipe.get("updates"), recipe.get("aggressive_updates", 0)
    if updates is not None and aggressive > updates:
        raise ConfigError(
            f"recipe.aggressive_updates={aggressive}: must be at most recipe.updates={updates}."
        )
    for option, monitor in monitors(tree).items():
        check_monitor(option, monitor, tree)


def monitors(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metric by which a run chooses its best epoch, and those of its callbacks.

    They are by the names of the options; a callback's is left out where it is the run's.
    """
    found = {"monitor": tree.get("monitor")}
    for name, node in tree["callbacks"].items():
        if node and is_ours(node) and node.get("monitor", found["monitor"]) != found["monitor"]:
            found[f"callbacks.{name}.monitor"] = node["monitor"]
    return found


def may_log(callback: Mapping[str, Any]) -> bool:
    """Return whether a node is of a callback that may log metrics of its own, as a user's may."""
    return not str(callback["_target_"]).startswith(("reslag_vae.", "lightning."))


def check_monitor(option: str, monitor: Any, tree: Mapping[str, Any]) -> None:
    """Refuse to choose an epoch by what is no metric, or not better for being smaller.

    Args:
        option: name of the option.
        monitor: name of the metric.
        tree: configuration of the run, whose own callbacks may log metrics of their own.

    Raises:
        ConfigError: the monitored metric is not one; the message says why.
    """
    own = [node for node in tree["callbacks"].values() if node and may_log(node)]
    if not isinstance(monitor, str):
        raise ConfigError(f"{option}={shown(monitor)}: must be the name of a metric.")
    known = of_all_levels(monitor)
    if known not in METRICS and not own:
        raise ConfigError(
            f"{option}={shown(monitor)}: there is no such metric{did_you_mean(monitor, METRICS)}."
        )
    split, _, name = known.partition("/")
    if known in METRICS and name in NO_LOSS:
        raise ConfigError(
            f"{option}={monitor}: the epoch with the smallest value is kept, and of this "
            f"{NO_LOSS[name].format(split=split)}."
        )
