"""One process does what many need; the others wait for it."""

import logging
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from reslag_vae._runtime.locks import HeldError, held

log = logging.getLogger(__name__)


@contextmanager
def alone(path: Path, doing: str) -> Iterator[None]:
    """Within the context no other process is doing the same; see then what another has done meanwhile.

    Args:
        path: of the lock's file, in a folder that is there.
        doing: what it is, for those that wait: "decoding ...".

    Raises:
        OSError: the file cannot be written.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(held(path, 0))
        except HeldError:
            log.info("Another process is %s: waiting for it.", doing)
            stack.enter_context(held(path, math.inf))
        yield
