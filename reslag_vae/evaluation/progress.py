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
    """An iterable with a known number of items."""

    def __iter__(self) -> Iterator[T]:
        """Iterate over the items."""

    def __len__(self) -> int:
        """Return the number of items."""


Progress = Callable[[str, int | None], AbstractContextManager[Advance]]


@contextmanager
def silent(task: str, total: int | None) -> Iterator[Advance]:
    """Show no progress.

    Args:
        task: what is being done, which is not shown.
        total: the number of its pieces, which is not shown.
    """
    del task, total
    yield lambda _: None


@contextmanager
def progress_bar(task: str, total: int | None) -> Iterator[Advance]:
    """Show a bar on the terminal until the task is done; nothing where there is no terminal.

    Within the context a function is given that moves the bar by a number of pieces.

    Args:
        task: what is being done.
        total: the number of its pieces; None if it is unknown.
    """
    count = () if total is None else (MofNCompleteColumn(), TimeRemainingColumn())
    columns = (TextColumn("{task.description}"), BarColumn(), *count, TimeElapsedColumn())
    console = Console(stderr=True)
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        number = bars.add_task(task, total=total)
        yield lambda pieces: bars.advance(number, pieces)


def tracked(items: Countable[T], task: str, progress: Progress) -> Iterator[T]:
    """Yield items one by one, and show how many are done.

    Args:
        items: the items.
        task: what is being done with them.
        progress: shows how many items are done.
    """
    with progress(task, len(items)) as advance:
        for item in items:
            yield item
            advance(1)
