"""The conversion of files of earlier versions to today's form, when they are read.

No other module knows earlier forms. A run's config.yaml, its checkpoints and an export's
config.json state their form by a number, the schema. Those of version 0.1 state none, and are of
schema 1.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from reslag_vae._runtime.errors import first_line
from reslag_vae.runs import version_0_1
from reslag_vae.runs.errors import RunError

Tree = dict[str, Any]

# Of what is written now; the steps below lead to it.
SCHEMA = 4

# Of schema 1: packages whose exported classes are in another one now.
PACKAGES = {
    "reslag_vae.models": "reslag_vae.variants",
    "reslag_vae.schedules": "reslag_vae.training.schedules",
    "reslag_vae.optimizers": "reslag_vae.training.optimizers",
    "reslag_vae.callbacks": "reslag_vae.training.callbacks",
    "reslag_vae.tracking": "reslag_vae.runs.tracking",
}


# Classes of any schema that have another name now.
CLASSES = {
    "reslag_vae.training.callbacks.MetricsFile": "reslag_vae.training.callbacks.MetricsCSV",
    "reslag_vae.runs.tracking.wandb_logger": "reslag_vae.runs.wandb_tracker.wandb_logger",
}


class Step(NamedTuple):
    """The functions that convert one schema to the next; each returns what it does not change.

    Attributes:
        config: converts a whole configuration but for its node `model`.
        model: converts the node `model` of a configuration, a checkpoint or an export.
        tensors: new beginnings of names in a state_dict, by the old ones.
        progress: converts the `progress` of a checkpoint.
    """

    config: Callable[[Tree], Tree]
    model: Callable[[Tree], Tree]
    tensors: Mapping[str, str]
    progress: Callable[[Tree], Tree]


def config_of_1(tree: Tree) -> Tree:
    """Return a configuration of schema 1 in the form of the next; newer options are added."""
    if "likelihood" not in tree:  # else written between the versions
        tree = {name: renamed(branch) for name, branch in tree.items()}
    younger: Tree = {
        "study": None,
        "resume": None,
        "trust": [],
        "changed_data": "refuse",
        "logger": None,
    }
    trainer, callbacks = tree.get("trainer"), tree.get("callbacks")
    if isinstance(trainer, dict):
        tree["trainer"] = {"compile": False, "num_nodes": 1} | trainer
    if isinstance(callbacks, dict) and isinstance(callbacks.get("progress"), dict):
        callbacks["progress"].pop("refresh_rate", None)
    return version_0_1.config(younger | tree)


def model_of_1(node: Tree) -> Tree:
    """Return a model's node of schema 1 in the form of the next."""
    return version_0_1.model(renamed(node)) if "network" in node else node


def renamed(tree: Any) -> Any:
    """Return a part of a configuration of schema 1 with the next schema's names of classes."""
    return with_targets(tree, target_of)


def with_todays_classes(tree: Any) -> Any:
    """Return a part of a configuration with today's names of classes that were renamed."""
    return with_targets(tree, lambda target: CLASSES.get(target, target))


def with_targets(tree: Any, renaming: Callable[[str], str]) -> Any:
    """Return a part of a configuration whose dotted names of classes are those of a function."""
    if isinstance(tree, list):
        return [with_targets(branch, renaming) for branch in tree]
    if not isinstance(tree, dict):
        return tree
    return {
        name: renaming(value)
        if name == "_target_" and isinstance(value, str)
        else with_targets(value, renaming)
        for name, value in tree.items()
    }


def target_of(target: str) -> str:
    """Return the next schema's name of a class, for its dotted name in schema 1."""
    package, _, name = target.rpartition(".")
    return f"{PACKAGES[package]}.{name}" if package in PACKAGES else target


def config_of_2(tree: Tree) -> Tree:
    """Return a configuration of schema 2 with the options that are younger."""
    return tree | {"schedule": with_patience(tree.get("schedule"))}


def model_of_2(node: Tree) -> Tree:
    """Return the node of a model of schema 2 with the options that are younger."""
    return node | {"schedule": with_patience(node.get("schedule"))}


def with_patience(schedule: Any) -> Any:
    """Return the node of a schedule; schema 2 had no patience for the mutual information."""
    if isinstance(schedule, dict) and "until" in schedule:
        return schedule | {"patience": 1}
    return schedule


def progress_of_2(own: Tree) -> Tree:
    """Return a checkpoint's progress; without patience the last estimate was the highest."""
    schedule = dict(own["schedule"])
    if "last_information" in schedule:
        schedule |= {"most_information": schedule.pop("last_information"), "epochs_below": 0}
    return own | {"schedule": schedule}


def same(tree: Tree) -> Tree:
    """Return what a schema did not change."""
    return tree


# By the schema that they lead on from.
STEPS = {
    1: Step(config_of_1, model_of_1, version_0_1.TENSORS, version_0_1.progress),
    2: Step(config_of_2, model_of_2, {}, progress_of_2),
    3: Step(same, same, {"model.heads.": "model.network.generative.heads."}, same),
}


def current_config(tree: Tree, path: Path) -> Tree:
    """Return a configuration in today's form, without the number of its schema.

    Args:
        tree: the configuration as it was read, of plain values.
        path: path of the file.

    Raises:
        RunError: the configuration is damaged, or of a later version.
    """
    tree = dict(tree)
    steps = steps_from(tree.pop("schema", 1), path)
    with damage_errors(path):
        for step in steps:
            tree = step.config(tree)
            if isinstance(tree.get("model"), dict):
                tree["model"] = step.model(tree["model"])
        return {name: with_todays_classes(branch) for name, branch in tree.items()}


def current_checkpoint(checkpoint: Tree, path: Path) -> Tree:
    """Return a checkpoint in today's form, without the number of its schema.

    Args:
        checkpoint: the checkpoint as it was read, of plain values but for its tensors. An export's
            two files are given as one of `hyper_parameters` and `state_dict`.
        path: path of the file.

    Raises:
        RunError: the checkpoint is damaged, or of a later version.
    """
    own = checkpoint.get("hyper_parameters")
    if not isinstance(own, dict):
        return checkpoint
    own = dict(own)
    steps = steps_from(own.pop("schema", 1), path)
    checkpoint = checkpoint | {"hyper_parameters": own}
    with damage_errors(path):
        for step in steps:
            if isinstance(own.get("model"), dict):
                own["model"] = step.model(own["model"])
            checkpoint["state_dict"] = {
                with_prefix(name, step.tensors): value
                for name, value in checkpoint["state_dict"].items()
            }
            if "progress" in checkpoint:
                checkpoint["progress"] = step.progress(checkpoint["progress"])
    return checkpoint


def steps_from(schema: Any, path: Path) -> list[Step]:
    """Return the conversions that lead from a schema to today's.

    Raises:
        RunError: the schema is later than today's, or not a schema.
    """
    if type(schema) is not int or schema < 1:
        raise RunError(f"{path} is damaged: its schema is {schema}.")
    if schema > SCHEMA:
        raise RunError(
            f"{path} is of a later version of this package: schema {schema}, and this one knows "
            f"{SCHEMA}."
        )
    return [STEPS[number] for number in range(schema, SCHEMA)]


@contextmanager
def damage_errors(path: Path) -> Iterator[None]:
    """Turn any error within the context into a RunError that says the file is damaged.

    A damaged file makes its reader fail with any exception.
    """
    try:
        yield
    except Exception as error:
        raise RunError(
            f"{path} is damaged, or of another version of this package: {first_line(error)}"
        ) from None


def with_prefix(name: str, prefixes: Mapping[str, str]) -> str:
    """Return a name with the first fitting prefix replaced; the same name if none fits."""
    for old, new in prefixes.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name
