"""Ctrl-C, and SIGTERM, which schedulers send before they kill: both end a run in the same clean way."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)

# Signals are the process' own, and so is what has come of them.
_received: list[int] = []
_postponing = False


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the context both raise a KeyboardInterrupt; it ends with the exit code that shells give such a process.

    A signal that is ignored, as under nohup, stays so.

    Raises:
        SystemExit: with 128 and the signal's number, after one of them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in STOPPING}
    _received.clear()
    listen()
    try:
        yield
    except (KeyboardInterrupt, SystemExit):  # Lightning makes the one the other
        if _received:
            raise SystemExit(128 + _received[0]) from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def postponed() -> Iterator[None]:
    """Within the context the signals wait for its end.

    For the loading of libraries: an exception in the midst of that of PyTorch aborts the process.
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
    """Have the signals end the run. Lightning puts its own handler in between at the start of training."""
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, _: FrameType | None) -> None:
    _received.append(number)
    if not _postponing:
        raise KeyboardInterrupt
