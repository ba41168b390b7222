"""Signals that end a run cleanly: SIGINT (Ctrl-C), and SIGTERM from schedulers."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)

# Signals belong to the whole process, and so does this state.
_received: list[int] = []
_postponing = False


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGINT and SIGTERM within the context into a KeyboardInterrupt.

    The process then ends with the exit code that shells give to an interrupted one. A signal that
    is ignored, as under nohup, stays ignored.

    Raises:
        SystemExit: a signal has arrived; the code is 128 plus its number.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in STOPPING}
    _received.clear()
    listen()
    try:
        yield
    except (KeyboardInterrupt, SystemExit):  # Lightning turns the first into the second
        if _received:
            raise SystemExit(128 + _received[0]) from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def postponed() -> Iterator[None]:
    """Delay SIGINT and SIGTERM until the context ends.

    Use it while libraries are loaded: an exception in the middle of PyTorch's import aborts the
    process.
    """
    global _postponing
    before, _postponing = len(_received), True
    try:
        yield
    finally:
        _postponing = False
    if len(_received) > before:
        raise KeyboardInterrupt


def listen() -> None:
    """Install the handlers of SIGINT and SIGTERM, unless a signal is ignored.

    Lightning replaces them with its own at the start of training.
    """
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, _: FrameType | None) -> None:
    _received.append(number)
    if not _postponing:
        raise KeyboardInterrupt
