"""Classes that other installed packages declare by their entry points.

A package declares the classes that its runs are made of in its pyproject.toml:

    [project.entry-points."reslag_vae.variants"]
    my_vae = "my_package.variants:MyVAE"

    [project.entry-points."reslag_vae.networks"]
    my_network = "my_package.networks:MyNetwork"
"""

from functools import cache
from importlib.metadata import distributions

GROUPS = "reslag_vae."


@cache
def declared_classes() -> frozenset[str]:
    """Return the dotted names of the classes that installed packages declare."""
    names = set()
    for distribution in distributions():
        for entry in distribution.entry_points:
            value = entry.pattern.match(entry.value)
            if entry.group.startswith(GROUPS) and value and value["attr"]:
                names.add(f"{value['module']}.{value['attr']}")
    return frozenset(names)
