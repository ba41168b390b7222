"""What torchvision knows of a data set's official files: addresses, md5 sums, layouts."""

from importlib import import_module
from types import ModuleType

from reslag_vae.data.errors import DataError


def torchvision_datasets(name: str) -> ModuleType:
    """Return `torchvision.datasets`.

    Args:
        name: choice of `data=` that needs it.

    Raises:
        DataError: torchvision is not installed, which other data sets do not need.
    """
    try:
        return import_module("torchvision.datasets")
    except ModuleNotFoundError:
        raise DataError(
            f"data={name}: is read by torchvision, which is not installed: "
            "pip install 'reslag_vae[train]'."
        ) from None
