"""What a user can mend: the entry scripts print the message alone, without a stack of calls."""

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """Something outside the program stands in the way; the message says what, and what to do about it."""


class ConfigError(UserError, ValueError):
    """An option is out of its range or does not go with another. The message names it."""


class NonFiniteError(UserError, ArithmeticError):
    """Training has diverged. The message names the term and the epoch."""


def first_line(error: BaseException) -> str:
    """Of an exception's message, or its name if it has none."""
    return (str(error) or type(error).__name__).splitlines()[0]


@contextmanager
def config_errors() -> Iterator[None]:
    """Within the context what the constructors refuse, by value or by type, is about the configuration."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise ConfigError(str(error)) from None
