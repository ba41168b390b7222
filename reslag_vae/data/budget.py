"""A limit on what several threads hold at the same time."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Budget:
    """So much may be spent at the same time; who wants more waits until it is given back.

    Args:
        total: what may be spent together. Who wants more than that gets it alone.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.used = 0
        self.changed = Condition()

    @contextmanager
    def spent(self, amount: int) -> Iterator[None]:
        """Within the context `amount` is spent."""
        with self.changed:
            self.changed.wait_for(lambda: self.used == 0 or self.used + amount <= self.total)
            self.used += amount
        try:
            yield
        finally:
            with self.changed:
                self.used -= amount
                self.changed.notify_all()
