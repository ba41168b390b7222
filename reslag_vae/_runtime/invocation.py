"""Which command this is, and where its configuration lies."""

import os
from pathlib import Path

# Also of the processes that this one starts.
VARIABLE = "RESLAG_COMMAND"

SCRIPTS = {"train": "python train.py", "evaluate": "python evaluate.py"}


def enter(command: str) -> None:
    """Note which command this process and those that it starts carry out.

    Args:
        command: as a user types it, such as "reslag train" or "python train.py".
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


def is_running(command: str) -> bool:
    """Return whether it is this command that runs."""
    return os.environ.get(VARIABLE, "") in (f"reslag {command}", SCRIPTS.get(command))


def configuration_folder() -> Path:
    """Return the folder of the configuration: the installed package's own, or a checkout's."""
    package = Path(__file__).parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"
