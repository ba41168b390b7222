"""What a user can mend: the entry scripts print the message alone, without a stack of calls."""

import re
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


@contextmanager
def closed_doors() -> Iterator[None]:
    """Within the context a file or folder that may not be read or written is told as what a user can mend."""
    try:
        yield
    except PermissionError as error:
        if error.filename is None:  # of a process, say, and no file
            raise
        raise UserError(
            f"{printable(str(error.filename))} cannot be read or written: {error.strerror}."
        ) from None


def printable(text: str) -> str:
    r"""Return a text with control characters and lone surrogates escaped.

    The escapes look like `\x1b`, `\u202e` and `\udcff`. Names of files and classes may hold
    characters that move a terminal's cursor or reverse the direction of writing, or bytes that are
    not UTF-8.
    """
    hidden = r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
    return re.sub(hidden, lambda found: ascii(found[0])[1:-1], text)
