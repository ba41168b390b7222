"""A limit on what several threads use at the same time."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Budget:
    """An amount that several threads may spend together; a thread waits until there is enough.

    Args:
        total: amount that may be spent at the same time. A thread that wants more waits until it
            is the only one.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.used = 0
        self.changed = Condition()

    @contextmanager
    def spent(self, amount: int) -> Iterator[None]:
        """Spend an amount within the context."""
        with self.changed:
            self.changed.wait_for(lambda: self.used == 0 or self.used + amount <= self.total)
            self.used += amount
        try:
            yield
        finally:
            with self.changed:
                self.used -= amount
                self.changed.notify_all()
