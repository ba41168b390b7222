"""The command that runs, and the folder of its configuration."""

import os
from collections.abc import Sequence
from pathlib import Path

# Also of the processes that this one starts.
VARIABLE = "RESLAG_COMMAND"

SCRIPTS = {"train": "python train.py", "evaluate": "python evaluate.py"}


def enter(command: str) -> None:
    """Note which command this process and those that it starts carry out.

    Args:
        command: the command as a user types it, such as "reslag train" or "python train.py".
    """
    os.environ[VARIABLE] = command


def invocation(command: str) -> str:
    """Return how a user types a command: as the one that runs now is typed.

    Args:
        command: "train", "evaluate" and so on.
    """
    if os.environ.get(VARIABLE, "").startswith("reslag"):
        return f"reslag {command}"
    return SCRIPTS.get(command, f"reslag {command}")


def running() -> str:
    """Return the command that runs: "train", "evaluate" and so on."""
    return os.environ.get(VARIABLE, "").rpartition(" ")[2].removesuffix(".py")


def is_help(arguments: Sequence[str]) -> bool:
    """Return whether a command's arguments ask for its help."""
    return "-h" in arguments or "--help" in arguments


def configuration_folder() -> Path:
    """Return the folder of the configuration: the installed package's own, or a checkout's."""
    package = Path(__file__).parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"
