"""Errors that a user can mend, whose messages the commands print without a traceback."""

import re
from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """An obstacle outside the program; the message says what it is and what to do about it."""


class ConfigError(UserError, ValueError):
    """An option that is out of its range or conflicts with another; the message names it."""


class NonFiniteError(UserError, ArithmeticError):
    """Training that has diverged; the message names the term and the epoch."""


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message, or its class name if it has none."""
    return (str(error) or type(error).__name__).splitlines()[0]


@contextmanager
def config_errors() -> Iterator[None]:
    """Turn each ValueError and TypeError within the context into a ConfigError.

    Constructors raise them for arguments that a configuration holds.
    """
    try:
        yield
    except (ValueError, TypeError) as error:
        raise ConfigError(str(error)) from None


@contextmanager
def permission_errors() -> Iterator[None]:
    """Turn a PermissionError on a file or folder within the context into a UserError."""
    try:
        yield
    except PermissionError as error:
        if error.filename is None:  # raised for a process, say, rather than for a file
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


def printable_lines(message: str) -> str:
    """Return a message of one or several lines, each of them `printable`."""
    return "\n".join(printable(line) for line in message.split("\n"))
