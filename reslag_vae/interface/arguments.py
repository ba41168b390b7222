"""The configuration and the data of a run that is asked for in Python."""

import os
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig, OmegaConf, open_dict

from reslag_vae._runtime.errors import ConfigError, printable
from reslag_vae.data import Arrays, DataError, ImageDataModule
from reslag_vae.interface.compose import as_overrides, check_overrides, composed, overrides_of
from reslag_vae.interface.given import as_path, gathered
from reslag_vae.interface.recipe import recipe_of
from reslag_vae.runs.describe import system_node
from reslag_vae.training.job import data_of, may_have_several_devices
from reslag_vae.training.second_stage import is_second_stage, staged
from reslag_vae.training.system import BaseVAE
from reslag_vae.training.unread import name_of, refuse_unread


class Asked(NamedTuple):
    """A run that is asked for.

    Attributes:
        config: its configuration.
        place: where its folder lies among others, as on the command line: data/model.
        data: its data, if these are in memory.
        system: its system, if that was made by hand.
    """

    config: DictConfig
    place: Path
    data: ImageDataModule | None
    system: BaseVAE | None


def asked(
    pictures: Any,
    overrides: Sequence[str],
    choices: Mapping[str, Any],
    labels: Any = None,
    validation: Any = None,
    size: int | None = None,
    channels: int | None = None,
) -> Asked:
    """Return the run that the arguments of `fit` ask for.

    Raises:
        ConfigError: an argument is wrong, or does not go with another.
        DataError: the images are none.
        RunError: a second stage cannot begin with the run that is named.
    """
    own = dict(choices)
    system = own.pop("model") if isinstance(own.get("model"), BaseVAE) else None
    check_model(own.get("model"))
    given = [*check_overrides(overrides), *as_overrides(own)]
    named = [name_of(word) for word in given]
    refuse_two_data(pictures, named)
    refuse_two_values(
        {"folder": pictures, "val_fraction": validation, "size": size, "channels": channels}, named
    )
    if system is not None:
        refuse_two_models(given)
    data, words = given_data(pictures, labels, validation, size, channels, system)
    if "logger" not in named:
        words.append("logger=none")
    if system is not None:
        words.append("model=vae")
    found = composed([*words, *given])
    config = staged(found.config, [*words, *given], Path())
    if may_have_several_devices(config):
        raise ConfigError(
            f"trainer.devices={config.trainer.devices}: a run in Python has one device; several "
            "are for the command line, by reslag train."
        )
    if data is not None:
        take_options(data, config)
    name = found.choices["model"]
    if system is not None:
        name = system.name
        describe(system, config)
    if not is_second_stage(config):
        refuse_unread(config, given, None if system is not None else name)
    place = Path(data_of(config.get("run"), found.choices["data"])) / name
    return Asked(config, place, data, system)


def given_data(
    pictures: Any,
    labels: Any,
    validation: Any,
    size: int | None,
    channels: int | None,
    system: BaseVAE | None,
) -> tuple[Arrays | None, list[str]]:
    """Return the data that are in memory, if any, and the overrides that the pictures bring.

    Raises:
        ConfigError: an argument is wrong, or does not go with another.
        DataError: the images are none.
    """
    fraction = isinstance(validation, Real) and not isinstance(validation, bool)
    words = overrides_of({"data.val_fraction": validation}) if fraction else []
    path = as_path(pictures)
    only_in_memory = {"labels": labels, "validation": None if fraction else validation}
    if pictures is None or (path is not None and path.is_dir()):
        for name, value in only_in_memory.items():
            if value is not None:
                raise ConfigError(
                    f"{name}: goes with images in memory; a folder has classes in subfolders, and "
                    "its validation split in `val`."
                )
    if path is None or not path.is_dir():
        for name, value in {"size": size, "channels": channels}.items():
            if value is not None:
                raise ConfigError(
                    f"{name}={value}: is of a folder of pictures, given as such; arrays keep "
                    f"theirs, and of data= it is 'data.{name}={value}', where that has one."
                )
    if pictures is None:
        return None, words
    if path is not None and path.is_dir():
        shape = None if system is None else system.model.image_shape
        size = shape[1] if size is None and shape else size
        channels = shape[0] if channels is None and shape else channels
        given = {"data": "image_folder", "data.folder": str(path)}
        chosen = {"data.size": size, "data.channels": channels}
        named = given | {name: value for name, value in chosen.items() if value is not None}
        return None, words + overrides_of(named)
    data = in_memory(pictures, path, labels, only_in_memory["validation"])
    if fraction and data.held_out:
        raise DataError("validation: the file of the images has a split of its own.")
    return data, words + overrides_of({"data": "arrays"} | recipe_of(data))


def in_memory(pictures: Any, path: Path | None, labels: Any, validation: Any) -> Arrays:
    """Return images in memory as a data module, with the options that it has by default.

    Args:
        pictures: what holds the images, unless they are in a file.
        path: file of arrays; None takes `pictures`.
        labels: label of each image; None takes those that the pictures bring.
        validation: images of the validation split, or a pair of images and labels; None takes a
            part of train.
    """
    others = None
    if validation is not None:
        pair = validation if isinstance(validation, tuple) else (validation, None)
        held = gathered(pair[0], "validation")
        others = (held.images, held.labels if len(pair) < 2 or pair[1] is None else pair[1])
    if path is not None:
        data = Arrays(labels=labels, validation=others, folder=path)
        data.given = True  # the run keeps them, wherever the file goes
        return data
    given = gathered(pictures)
    return Arrays(given.images, given.labels if labels is None else labels, others)


def take_options(data: Arrays, config: DictConfig) -> None:
    """Give data that were made before the configuration was composed its options."""
    node = config.data
    data.root = Path(node.root).expanduser()
    data.batch_size, data.val_fraction, data.seed = node.batch_size, node.val_fraction, node.seed


def describe(system: BaseVAE, config: DictConfig) -> None:
    """Let a configuration describe a system that was made by hand.

    Args:
        system: the system.
        config: configuration of its run, which is changed.

    Raises:
        ConfigError: the system was made with what a file of plain values cannot hold, or its
            parameters cannot be trained.
    """
    check_parameters(system)
    try:
        node = system_node(system)
    except ValueError as error:
        raise ConfigError(f"model: {error}") from None
    with open_dict(config):
        config.model = OmegaConf.create(node)
        for name in ("objective", "schedule", "optimizer"):
            config[name] = node[name]
        for name, part in node["model"].items():
            if name in ("network", "posterior", "prior", "likelihood"):
                config[name] = part
        config.recipe.image_shape = list(system.model.image_shape)


def check_parameters(system: BaseVAE) -> None:
    """Refuse a system that was made by hand with parameters that cannot be trained.

    Raises:
        ConfigError: all of them stand still, or one is of another type than images are given in,
            or was made in `torch.inference_mode`.
    """
    parameters = list(system.parameters())
    if not any(own.requires_grad for own in parameters):
        raise ConfigError(
            "model: all of its parameters stand still, as those of a model that fit has trained: "
            "make a new one, or call its requires_grad_(True) to train it further."
        )
    if any(own.is_inference() for own in parameters):
        raise ConfigError("model: was made in torch.inference_mode; make it outside of that.")
    types = {own.dtype for own in parameters} - {torch.float32}
    if types:
        raise ConfigError(
            f"model: its parameters are {types.pop()}, and runs train in torch.float32: call its "
            "float()."
        )


def check_model(model: Any) -> None:
    """Refuse a model that is neither a name nor a variant.

    Raises:
        ConfigError: the message says what is taken.
    """
    if model is not None and not isinstance(model, str):
        raise ConfigError(
            f"model: takes a name, as in model='vae', or a variant made by hand, as in "
            f"reslag_vae.variants.VAE(network), and this is {type(model).__name__}."
        )


def refuse_two_models(overrides: Sequence[str]) -> None:
    """Refuse what would set something of a model that was made by hand.

    Raises:
        ConfigError: the message names it.
    """
    for own in overrides:
        if name_of(own).partition(".")[0] == "model":
            raise ConfigError(f"{own}: has no effect, since the model was made by hand.")


def refuse_two_values(arguments: Mapping[str, Any], named: Sequence[str]) -> None:
    """Refuse options of the data beside the arguments of `fit` that set the same.

    Args:
        arguments: value of the argument by the option that it sets, without `data.`.
        named: names of what the overrides set.

    Raises:
        ConfigError: the message names the option.
    """
    for option, value in arguments.items():
        if value is not None and f"data.{option}" in named:
            of = {"folder": "pictures", "val_fraction": "validation"}.get(option, option)
            raise ConfigError(f"data.{option}: is set by the argument {of}, too; give one of them.")


def refuse_option(pictures: Any) -> None:
    """Refuse an option that stands where the pictures do, in a run that has its pictures already.

    Raises:
        ConfigError: the message says what to give.
    """
    if isinstance(pictures, str) and "=" in pictures and not os.path.exists(pictures):
        raise ConfigError(
            f"{printable(pictures)}: stands where the pictures do; in a run that has its own give "
            "None for them, and options after it."
        )


def refuse_two_data(pictures: Any, named: Sequence[str]) -> None:
    """Refuse pictures beside a data set or the run of a second stage, and none of these.

    Raises:
        ConfigError: the message says what to give.
    """
    if {"data", "run"} & set(named):
        refuse_option(pictures)
    if pictures is not None and "run" in named:
        raise ConfigError("pictures: a second stage has those of its run; leave others out.")
    if pictures is not None and "data" in named:
        raise ConfigError("data: is named beside the pictures; give one of them.")
    if pictures is None and not {"data", "run"} & set(named):
        raise ConfigError(
            "pictures: give a folder, an array, a Dataset or a DataLoader, or name a data set by "
            "data='digits'."
        )
