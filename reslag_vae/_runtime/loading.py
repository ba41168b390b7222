"""The loading of large libraries, such as PyTorch and Lightning."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from reslag_vae._runtime.signals import postponed


@contextmanager
def loading() -> Iterator[None]:
    """Load libraries within the context.

    SIGINT and SIGTERM wait for its end. Python searches for no garbage meanwhile, and never again
    among what was loaded: half a million objects that stay. The searches would take a fifth of the
    time of a short run. In a process that has PyTorch already, all is searched as before: it may
    hold garbage of the user's own.
    """
    searching, first = gc.isenabled(), "torch" not in sys.modules
    if first:
        gc.disable()
    try:
        with postponed():
            yield
    finally:
        if first:
            gc.freeze()
        if searching:
            gc.enable()
