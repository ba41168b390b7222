"""What code numbers come from."""

import platform
import subprocess
from pathlib import Path


def versions() -> dict[str, str]:
    """Of Python and of what the numbers depend on."""
    import lightning
    import torch
    import torchvision

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "lightning": lightning.__version__,
    }


def commit() -> str | None:
    """The commit of the code; None outside a checkout.

    It ends in `-dirty` where the code differs from it.
    """
    command = [
        "git",
        "-C",
        str(Path(__file__).parent),
        "describe",
        "--always",
        "--abbrev=40",
        "--dirty",
        "--exclude=*",
    ]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
