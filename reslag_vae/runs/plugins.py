"""Variants of other installed packages, by their entry points.

A package declares them in its pyproject.toml:

    [project.entry-points."reslag_vae.variants"]
    my_vae = "my_package.models:MyVAE"
"""

from functools import cache
from importlib.metadata import entry_points

GROUP = "reslag_vae.variants"


@cache
def declared() -> frozenset[str]:
    """Return the dotted names of the variants that installed packages declare."""
    return frozenset(
        f"{entry.module}.{entry.attr}" for entry in entry_points(group=GROUP) if entry.attr
    )


def is_declared(target: str) -> bool:
    """Return whether a dotted name is that of a declared variant, or of its package's own parts.

    Who installs a package that declares variants trusts its code.
    """
    packages = {name.partition(".")[0] for name in declared()}
    return target.partition(".")[0] in packages
