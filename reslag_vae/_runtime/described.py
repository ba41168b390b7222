"""Objects that remember the arguments which they were made with."""

import inspect
from typing import Any, Self


class Described:
    """An object that remembers the arguments of its constructor, so that it can be made again."""

    def __new__(cls, *arguments: Any, **options: Any) -> Self:
        self = super().__new__(cls)
        # Not by setattr, which modules of PyTorch have one of their own of.
        self.__dict__["_made_with"] = (arguments, options)
        return self


def arguments_of(made: Described) -> dict[str, Any]:
    """Return the arguments that an object was made with, by name, without its defaults."""
    arguments, options = made.__dict__["_made_with"]
    bound = inspect.signature(type(made)).bind(*arguments, **options)
    return dict(bound.arguments)
