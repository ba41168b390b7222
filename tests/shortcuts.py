"""What tests replace, in their own process and in those that they fork, because it shows nothing.

Each is an object, the name of one of its attributes, and what that becomes.
"""

import copy
import dataclasses
import functools
import os
from pathlib import Path
from typing import Any

import sklearn.datasets
from hydra._internal.config_repository import ConfigRepository
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult

from reslag_vae.data import Digits, Images
from reslag_vae.data.images import Source

Replaced = tuple[tuple[Any, str, Any], ...]

read_config, read_digits = ConfigRepository.load_config, Digits.read
parsed: dict[tuple[str | int, ...], ConfigResult] = {}


def parse_once(repository: ConfigRepository, config_path: str) -> ConfigResult | None:
    """A file of the configuration is parsed once: that is a third of the time of a composition."""
    source = repository._find_object_source(config_path, ObjectType.CONFIG)
    if source is None or source.scheme() == "structured":
        return read_config(repository, config_path)
    key: tuple[str | int, ...] = (source.scheme(), source.path, config_path)
    if source.scheme() == "file":
        state = Path(source.path, f"{config_path.removesuffix('.yaml')}.yaml").stat()
        key = (*key, state.st_mtime_ns, state.st_size)
    if key not in parsed:
        found = read_config(repository, config_path)
        assert found is not None
        parsed[key] = found
    # What is merged becomes part of the configuration.
    return dataclasses.replace(parsed[key], config=copy.deepcopy(parsed[key].config))


def read_some(digits: Digits) -> Source:
    """A tenth of the digits."""
    whole = read_digits(digits)
    few = Images(whole.train.store[::10], whole.train.store_labels[::10])
    return whole._replace(train=few)


SHORTCUTS: Replaced = (
    (ConfigRepository, "load_config", parse_once),
    # scikit-learn reads its digits from a table of texts.
    (sklearn.datasets, "load_digits", functools.cache(sklearn.datasets.load_digits)),
    # No test cuts the power, and a thousand waits for the disk take seconds.
    (os, "fsync", lambda descriptor: None),
)
# Of the digits, by the variable DIGITS of a process: as they were drawn, and a tenth of these.
DRAWN: Replaced = ((Digits, "image_shape", (1, 8, 8)),)
DIGITS: dict[str, Replaced] = {"drawn": DRAWN, "few": (*DRAWN, (Digits, "read", read_some))}
