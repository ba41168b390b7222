"""The record of a finished run, metrics.json and config.yaml, as a study needs it."""

from pathlib import Path
from typing import Any

from reslag_vae.runs.config import read_config
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import CONFIG_FILE, RESULT_FILE, read_result

# What metrics.json must say.
NEEDED = ("model", "objective", "epoch", "epochs_run", "parameters", "yardstick_sigma2")

# Far beyond what is summed over an image's pixels
LARGEST = 1e30

GROUPS = {"recipe", "trainer", "objective", "network", "schedule", "optimizer"}


def read_record(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the contents of a finished run's metrics.json and config.yaml.

    Raises:
        RunError: a file is missing or damaged.
    """
    result, config = read_result(folder), read_run_config(folder)
    check_result(result, folder / RESULT_FILE)
    return result, config


def check_result(result: dict[str, Any], path: Path) -> None:
    """Raise a RunError if metrics.json lacks what the report needs."""
    images, test = result.get("images"), result.get("test")
    terms = test if isinstance(test, dict) else {}
    sizes = images if isinstance(images, dict) else {}
    lacking = [name for name in NEEDED if name not in result]
    if not all(isinstance(terms.get(name), float | int) for name in ("rec", "loss")):
        lacking.append("rec and loss of test")
    if not all(type(sizes.get(name)) is int for name in ("train", "val", "test")):
        lacking.append("the number of images")
    for name in ("val", "test", "parameters", "monitored", "versions", "inventory"):
        if not isinstance(result.get(name, {}), dict):
            lacking.append(f"{name} by names")
    for name in ("epoch", "epochs_run"):
        if name in result and type(result[name]) is not int:
            lacking.append(f"{name} as a whole number")
    if isinstance(test, dict) and not all(is_moderate(value) for value in test.values()):
        lacking.append("numbers in test that a run can have")
    if not is_moderate(result.get("yardstick_sigma2")):
        lacking.append("yardstick_sigma2 as a number that a run can have")
    if lacking:
        raise RunError(f"{path} is damaged, or not of this package: it lacks {', '.join(lacking)}.")


def is_moderate(value: object) -> bool:
    """Return whether a value is a number that a table and a plot can show, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value is None
    return -LARGEST <= value <= LARGEST


def read_run_config(folder: Path) -> dict[str, Any]:
    """Read config.yaml.

    Raises:
        RunError: the file is missing or damaged.
    """
    content = read_config(folder)
    if not content.keys() >= GROUPS:
        raise RunError(
            f"{folder / CONFIG_FILE} is damaged: it is not the configuration of a run of this "
            "package."
        )
    return content


def is_number(value: object) -> bool:
    """Return whether a value is a number, or None as for a variant without that number."""
    return value is None or type(value) in (int, float)
