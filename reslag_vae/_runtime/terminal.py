"""Standard streams that never fail, and commands that can be pasted into a shell."""

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

# Values that Hydra always reads as text.
PLAIN = re.compile(r"[A-Za-z0-9_./-]*/[A-Za-z0-9_./-]*")


class SteadyFile(io.RawIOBase):
    """Standard output or error that never fails, even after its reader has gone.

    From then on, what is written is discarded without an error.

    Args:
        descriptor: file descriptor, 1 for standard output or 2 for standard error.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def write(self, content: "ReadableBuffer", /) -> int:
        """Write bytes, or discard them if the descriptor no longer takes any."""
        try:
            return self._written(content)
        except OSError as error:
            discard_output(self.descriptor, error.strerror or str(error))
            return memoryview(content).nbytes

    def _written(self, content: "ReadableBuffer") -> int:
        while True:
            try:
                return os.write(self.descriptor, content)
            except BlockingIOError:  # a full pipe that does not wait by itself
                select.select([], [self.descriptor], [])

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self.descriptor

    def isatty(self) -> bool:
        """Return whether the descriptor is a terminal."""
        return os.isatty(self.descriptor)


def prepare() -> None:
    """Make standard output and error accept every text and never fail.

    One call for each process is enough. Characters that the encoding lacks become escapes. If a
    stream is closed, its disk full or its reader gone, the program continues without it. Streams
    that others have put in place, as notebooks do, are left alone.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            reopen(descriptor, name)
    sys.stdout, sys.stderr = steady(sys.stdout, 1), steady(sys.stderr, 2)


def reopen(descriptor: int, name: str) -> None:
    """Open a standard stream that was closed from the start on the null device.

    No other file can then take its number.
    """
    try:
        os.fstat(descriptor)
        target: int | str = os.devnull  # another file has it already
    except OSError:
        target = descriptor
        point_to_null(descriptor)
    mode = "r" if descriptor == 0 else "w"
    stream = open(target, mode, closefd=target != descriptor)  # noqa: SIM115  # open to the end
    setattr(sys, name, stream)


def point_to_null(descriptor: int) -> None:
    """Point a file descriptor to the null device."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def steady(stream: TextIO, descriptor: int) -> TextIO:
    """Return a stream over a SteadyFile if it belongs to the descriptor, else the stream itself."""
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


def discard_output(descriptor: int, reason: str) -> None:
    """Point a descriptor to the null device; report a lost standard output on standard error."""
    point_to_null(descriptor)
    if descriptor == 1:
        line = f"Nothing more is shown on standard output ({reason}); the program goes on.\n"
        with suppress(OSError):
            os.write(2, line.encode())


def console() -> "Console":
    """Return a console that shows text literally, without markup or emoji codes."""
    from rich.console import Console

    return Console(markup=False, emoji=False)


def command(*words: str) -> str:
    """Return a command that can be pasted into a shell, with control characters escaped."""
    return printable(shlex.join(words))


def override(name: str, value: object) -> str:
    """Return a command-line option that Hydra reads as exactly this text.

    An example is `resume=runs/my_run` for train.py or evaluate.py. The result is one word of a
    `command`: it has no quotes of the shell.

    Args:
        name: name of the option.
        value: value of the option, such as a path.
    """
    text = str(value)
    return f"{name}={text if PLAIN.fullmatch(text) else quoted(text)}"


def quoted(text: str) -> str:
    """Return a text in quotes of Hydra's grammar, with OmegaConf's interpolations escaped."""
    literal = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    # A backslash means itself but before a quote.
    doubled = re.sub(r'(\\+)(?="|\Z)', r"\1\1", literal)
    return '"' + doubled.replace('"', r"\"") + '"'
