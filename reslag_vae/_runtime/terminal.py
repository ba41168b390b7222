"""The terminal: a program that outlives it, and commands that can be pasted into it."""

import io
import os
import re
import select
import shlex
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from reslag_vae._runtime.errors import printable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from rich.console import Console

__all__ = ["command", "override", "prepare", "printable"]

# Of the options' values those that Hydra reads as text, whatever they are.
PLAIN = re.compile(r"[A-Za-z0-9_./-]*/[A-Za-z0-9_./-]*")


class SteadyFile(io.RawIOBase):
    """Standard output or error whose reader may go: what is written from then on goes nowhere, without an error.

    Args:
        descriptor: 1 or 2.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def write(self, content: "ReadableBuffer", /) -> int:
        try:
            return self._written(content)
        except OSError as error:
            lose(self.descriptor, error.strerror or str(error))
            return memoryview(content).nbytes

    def _written(self, content: "ReadableBuffer") -> int:
        while True:
            try:
                return os.write(self.descriptor, content)
            except BlockingIOError:  # a full pipe that does not wait by itself
                select.select([], [self.descriptor], [])

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.descriptor

    def isatty(self) -> bool:
        return os.isatty(self.descriptor)


def prepare() -> None:
    """Have standard output and error take every text and never fail, once for a process.

    Characters that their encoding lacks become escapes. Where one is closed, its disk full or its
    reader gone, the program goes on without it. Streams that others have put in their place, as a
    notebook does, are left alone.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            reopen(descriptor, name)
    sys.stdout, sys.stderr = steady(sys.stdout, 1), steady(sys.stderr, 2)


def reopen(descriptor: int, name: str) -> None:
    """Open a standard stream that was closed from the start into nowhere, so that no other file takes its number."""
    try:
        os.fstat(descriptor)
        target: int | str = os.devnull  # another file has it already
    except OSError:
        target = descriptor
        point_nowhere(descriptor)
    mode = "r" if descriptor == 0 else "w"
    setattr(sys, name, open(target, mode, closefd=target != descriptor))  # noqa: SIM115  # open to the end


def point_nowhere(descriptor: int) -> None:
    """Have what is written to a descriptor vanish, and nothing to be read from it."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def steady(stream: TextIO, descriptor: int) -> TextIO:
    """The stream, if it is that of the descriptor, over a SteadyFile."""
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # python -u has nothing between
    if (
        not isinstance(stream, io.TextIOWrapper)
        or type(raw) is not io.FileIO
        or raw.fileno() != descriptor
    ):
        return stream
    stream.flush()
    lines = stream.line_buffering or stream.write_through
    own = io.BufferedWriter(SteadyFile(descriptor))
    return io.TextIOWrapper(own, stream.encoding, "backslashreplace", line_buffering=lines)


def lose(descriptor: int, reason: str) -> None:
    """Turn a descriptor into nowhere; standard error says so of standard output."""
    point_nowhere(descriptor)
    if descriptor == 1:
        line = f"Nothing more is shown on standard output ({reason}); the program goes on.\n"
        with suppress(OSError):
            os.write(2, line.encode())


def console() -> "Console":
    """A console that shows text as it is: square brackets and colons in a name are no styles and no pictures."""
    from rich.console import Console

    return Console(markup=False, emoji=False)


def command(*words: str) -> str:
    """A command ready to be pasted into a shell; control characters are shown, not obeyed."""
    return printable(shlex.join(words))


def override(name: str, value: object) -> str:
    """An option of train.py or evaluate.py, such as resume=runs/my_run, for Hydra to read as this very text.

    A word of a `command`: the shell's own quotes are not in it.

    Args:
        name: of the option.
        value: its text, such as a path.
    """
    text = str(value)
    return f"{name}={text if PLAIN.fullmatch(text) else quoted(text)}"


def quoted(text: str) -> str:
    """The text in quotes of Hydra's grammar, with what OmegaConf would take for an interpolation escaped."""
    literal = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    # A backslash means itself but before a quote.
    doubled = re.sub(r'(\\+)(?="|\Z)', r"\1\1", literal)
    return '"' + doubled.replace('"', r"\"") + '"'
