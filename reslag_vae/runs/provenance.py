"""The versions and the commit that numbers come from."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that the numbers depend on."""
    import lightning
    import torch

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": version_of("torchvision") or "not installed",
        "lightning": lightning.__version__,
    }


def version_of(package: str) -> str | None:
    """Return the installed version of a package; None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def commit(folder: Path = Path(__file__).parent) -> str | None:
    """Return the commit of the code in a folder, by default of this package's.

    It ends in `-dirty` if the code differs from that commit, and is None outside a checkout.
    """
    command = [
        "git",
        "-C",
        str(folder),
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
