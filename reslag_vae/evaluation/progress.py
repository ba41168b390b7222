"""Progress bars that know nothing of what they show."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

T = TypeVar("T", covariant=True)

Advance = Callable[[int], None]


class Countable(Protocol[T]):
    """Items whose number is known."""

    def __iter__(self) -> Iterator[T]:
        """One by one."""

    def __len__(self) -> int:
        """How many."""


Progress = Callable[[str, int | None], AbstractContextManager[Advance]]


@contextmanager
def silent(task: str, total: int | None) -> Iterator[Advance]:
    """Shows nothing."""
    del task, total
    yield lambda _: None


@contextmanager
def shown(task: str, total: int | None) -> Iterator[Advance]:
    """A bar on the terminal that goes away when the task is done; nothing where there is no terminal.

    Args:
        task: what is being done.
        total: how many of its pieces there are; None where it cannot be told how much is done.
    """
    count = () if total is None else (MofNCompleteColumn(), TimeRemainingColumn())
    columns = (TextColumn("{task.description}"), BarColumn(), *count, TimeElapsedColumn())
    console = Console(stderr=True)
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        number = bars.add_task(task, total=total)
        yield lambda pieces: bars.advance(number, pieces)


def tracked(items: Countable[T], task: str, progress: Progress) -> Iterator[T]:
    """The items, one by one, with a bar of how many are done."""
    with progress(task, len(items)) as advance:
        for item in items:
            yield item
            advance(1)
