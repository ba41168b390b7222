"""The configuration in a run's folder, read with distrust: it may come from anywhere."""

import importlib
import importlib.util
import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf._utils import get_yaml_loader

from reslag_vae._runtime.errors import ConfigError, first_line
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import IMAGES_FILE, config_path
from reslag_vae.runs.formats import read_bytes
from reslag_vae.runs.migrations import current_config
from reslag_vae.runs.plugins import declared_classes

# A configuration of this package has some 6 kB, 250 values and 6 levels.
MOST_BYTES, MOST_VALUES, MOST_LEVELS = 1 << 18, 10_000, 20

PARTS = (
    "variants",
    "models",
    "networks",
    "latents",
    "likelihoods",
    "objectives",
    "training.schedules",
    "training.optimizers",
)

# Modules whose exported classes a model, its data and a whole run may be made of
MODEL_MODULES = tuple(f"reslag_vae.{name}" for name in PARTS)
DATA_MODULES = ("reslag_vae.data",)
RUN_MODULES = (*MODEL_MODULES, *DATA_MODULES, "reslag_vae.training.callbacks")

# Further classes and functions that a whole run is made of
LOGGERS = ("CSVLogger", "MLFlowLogger", "TensorBoardLogger")
RUN_TARGETS = frozenset(
    {
        "lightning.Trainer",
        "reslag_vae.runs.wandb_tracker.wandb_logger",
        *(f"lightning.pytorch.loggers.{name}" for name in LOGGERS),
    }
)

# Where the callbacks of Lightning are that a run may have beside this package's
LIGHTNING_CALLBACKS = "lightning.pytorch.callbacks"

# Data that were given in Python
ARRAYS = "reslag_vae.data.Arrays"

MODULE_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def read_config(folder: Path) -> dict[str, Any]:
    """Read a run's config.yaml in today's form: names and plain values, without references.

    Raises:
        RunError: the file is missing, damaged, of a later version, or not the configuration of a
            run.
    """
    path = config_path(folder)
    content = read_bytes(path, MOST_BYTES)
    try:
        tree = yaml.load(content.decode("utf-8"), Loader=PlainLoader)
    except Exception as error:  # damaged bytes fail anywhere in the reader, with any exception
        raise RunError(f"{path} is damaged: {first_line(error)}") from None
    if not isinstance(tree, dict) or not tree:
        raise RunError(f"{path} is damaged: it is not the configuration of a run.")
    if not is_final(tree):
        raise RunError(
            f"{path} is not the configuration of a run: it holds references, or values of no name."
        )
    return current_config({str(name): value for name, value in tree.items()}, path)


def load_config(folder: str | Path) -> DictConfig:
    """Return the configuration that a run was made with, with every value final.

    Raises:
        RunError: the configuration is missing, or not one of this package.
    """
    folder = Path(folder)
    tree = read_config(folder)
    if not {"data", "model", "seed"} <= tree.keys():
        raise RunError(f"{config_path(folder)} is not the configuration of a run of this package.")
    return OmegaConf.create(tree)


# OmegaConf makes its loader in a function, for which types have no class.
class PlainLoader(get_yaml_loader()):  # type: ignore[misc]
    """OmegaConf's reader of YAML, which refuses what no configuration of a run holds.

    That is YAML that grows when it is read, names types, or is larger than any configuration. It
    is refused as its text goes by, before anything is made of it.

    Raises:
        ValueError: the message says what the text holds.
        yaml.YAMLError: the text is not YAML.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.level = self.count = 0

    def get_event(self) -> Any:
        event = super().get_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise ValueError("it holds references to its own parts")
        if getattr(event, "tag", None) is not None:
            raise ValueError(f"it names a type, {event.tag}")
        self.level += isinstance(event, yaml.CollectionStartEvent)
        self.level -= isinstance(event, yaml.CollectionEndEvent)
        self.count += 1
        if self.level > MOST_LEVELS or self.count > MOST_VALUES:
            raise ValueError("it is larger than the configuration of a run")
        return event


def is_final(tree: Any) -> bool:
    """Return whether a configuration is made of plain values without references, and not too many.

    A reference could run code. A part that occurs several times counts each time, because a reader
    visits it each time.
    """
    left, count = [(tree, 0)], 0
    while left:
        node, level = left.pop()
        count += 1
        if count > MOST_VALUES or level > MOST_LEVELS:
            return False
        if isinstance(node, dict):
            if None in node:
                return False  # no name
            left += [(part, level + 1) for own in node.items() for part in own]
        elif isinstance(node, list):
            left += [(part, level + 1) for part in node]
        elif (
            "${" in node
            if isinstance(node, str)
            else not (node is None or type(node) in (bool, int, float))
        ):
            return False
        if len(left) > MOST_VALUES:
            return False
    return True


def foreign_target(
    tree: Any, modules: Collection[str], trust: Collection[str] = (), others: Collection[str] = ()
) -> str | None:
    """Return the first class or function that a configuration would build but may not, or None.

    Args:
        tree: configuration of plain values.
        modules: modules whose exported classes it may build.
        trust: modules and packages of the user's own, of which it may build anything.
        others: further names that it may build.
    """
    for target in targets_of(tree):
        if (
            target not in others
            and not is_trusted(target, trust)
            and not is_exported(target, modules)
        ):
            return target
    return None


def point_to_own_images(data: Any, folder: Path) -> None:
    """Let a run's data be read from the images that its folder keeps, if it keeps any.

    Args:
        data: the node `data` of the run's configuration, which is changed.
        folder: folder of the run.
    """
    if (folder / IMAGES_FILE).is_file() and data.get("_target_") == ARRAYS:
        data["folder"] = str((folder / IMAGES_FILE).absolute())


def targets_of(tree: Any) -> Iterator[str]:
    """Yield the dotted name of everything that a configuration of plain values would build."""
    if isinstance(tree, dict):
        if "_target_" in tree:
            yield str(tree["_target_"])
        branches = list(tree.values())
    else:
        branches = tree if isinstance(tree, list) else []
    for branch in branches:
        yield from targets_of(branch)


def is_exported(target: str, modules: Collection[str]) -> bool:
    """Return whether a dotted name is that of a class which one of the modules exports."""
    module, _, name = target.rpartition(".")
    return module in modules and name in importlib.import_module(module).__all__


def is_trusted(target: str, trust: Collection[str]) -> bool:
    """Return whether a dotted name is one of these or within one, or declared by a package.

    Only the declared classes of an installed package are trusted, not what lies within them: a
    configuration must not choose among the functions of a package.
    """
    within = any(target == own or target.startswith(f"{own}.") for own in trust)
    return within or target in declared_classes()


def check_trust(trust: Any) -> tuple[str, ...]:
    """Return the modules of the user's own that a run may be made of.

    Raises:
        ConfigError: the value is not a list of names of modules.
    """
    names = [trust] if isinstance(trust, str) else trust
    if not isinstance(names, list | tuple):
        raise ConfigError(f"trust={trust}: must be a list of modules, as in trust=[mymodels].")
    for name in names:
        if not isinstance(name, str) or not MODULE_NAME.fullmatch(name):
            raise ConfigError(f"trust={name}: is not the name of a module, as in trust=[mymodels].")
    return tuple(names)


def refusal(target: str) -> str:
    """Return why a class is not built, and how to allow it where a user may have chosen it."""
    reason = f"it would build {target}, which is none of this package's parts."
    module = target.rpartition(".")[0]
    own = MODULE_NAME.fullmatch(module) and not comes_with_a_package(module)
    if not own and module != LIGHTNING_CALLBACKS:
        return reason
    whose = "code of your own that you trust" if own else "a callback that you have chosen"
    return (
        f"{reason} If that is {whose}: --trust {module} on the command line, "
        f"trust=[{module}] of train and evaluate, trust=({module!r},) in Python."
    )


def comes_with_a_package(module: str) -> bool:
    """Return whether a module belongs to Python or to an installed package.

    Such a module is not the user's own.
    """
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or top == "reslag_vae":
        return True
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # of __main__
        return False
    return spec is not None and "site-packages" in str(spec.origin)


def plain(node: Any) -> Any:
    """Return a node of a configuration in Python's own containers."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
