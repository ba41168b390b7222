"""Which optional packages are installed."""

from importlib.util import find_spec


def is_installed(package: str) -> bool:
    """Return whether a package, or a module, is installed; it is not imported to find out.

    A folder of the same name in the working directory is none: Python would import it, empty, as a
    namespace package. W&B leaves such a folder itself.

    Args:
        package: name that is imported.
    """
    spec = find_spec(package)
    return spec is not None and spec.origin is not None


def missing(packages: tuple[str, ...]) -> list[str]:
    """Return those packages that are not installed: see `is_installed`."""
    return [name for name in packages if not is_installed(name)]
