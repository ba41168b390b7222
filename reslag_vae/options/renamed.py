"""The options that had other names in version 0.1."""

from collections.abc import Sequence

# What options of version 0.1 are called now.
RENAMED = {
    "objective.image_shape": "likelihood.variance.image_shape",
    "objective.granularity": "likelihood.variance.granularity",
    "objective.decay": "likelihood.variance.decay",
    "objective.sigma2": "likelihood.variance.sigma2",
}


def renamed(arguments: Sequence[str]) -> list[str]:
    """Return a command's arguments with today's names of options, where version 0.1 had others.

    Those were the options of objective=sigma_*. Another objective, such as one of the user's own,
    may have options by the same names: they stay.
    """
    chosen = [argument for argument in arguments if argument.startswith("objective=")]
    if chosen and not chosen[-1].startswith("objective=sigma_"):
        return list(arguments)
    return [with_new_name(argument) for argument in arguments]


def with_new_name(argument: str) -> str:
    """Return one argument of a command with today's name of its option."""
    option, equals, value = argument.partition("=")
    name = option.lstrip("+~")
    mark = option.removesuffix(name)
    return f"{mark}{RENAMED.get(name, name)}{equals}{value}"
