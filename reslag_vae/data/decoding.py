"""The decoding of many pictures, several at a time."""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from reslag_vae._runtime.errors import first_line, printable
from reslag_vae.data.bit_depth import ScaleError, likely_range
from reslag_vae.data.errors import DataError
from reslag_vae.data.pictures import Picture

CHUNK = 256  # pictures decoded between two writes
SHOWN = 5  # files named in a message

Decode = Callable[[Path], Picture]


def decode_all(files: Sequence[Path], decode: Decode) -> Iterator[list[Picture]]:
    """Yield decoded pictures in their order, some at a time.

    After a picture that cannot be decoded no more are yielded, but all are tried.

    Args:
        files: paths of the pictures.
        decode: function that decodes one picture; it is called from several threads.

    Raises:
        DataError: pictures cannot be decoded. The message names them, once all were tried.
    """
    from rich.console import Console
    from rich.progress import track

    failures = _Failures()

    def attempt(path: Path) -> Picture | None:
        try:
            return decode(path)
        except MemoryError:
            raise DataError(
                f"{printable(str(path))}: there is too little memory to decode it."
            ) from None
        except ScaleError as reason:
            failures.add_scale(path, reason)
        except Exception as reason:  # Pillow raises a dozen kinds; each is told with its file
            failures.damaged.append(printable(f"{path}: {first_line(reason)}"))
        return None

    title = f"Decoding {len(files):,} pictures, once"
    starts = track(range(0, len(files), CHUNK), title, console=Console(stderr=True))
    with ThreadPoolExecutor() as pool, warnings.catch_warnings():
        # Pillow's, of large pictures and odd metadata: what it reads is whole.
        warnings.simplefilter("ignore")
        for start in starts:
            pictures = list(pool.map(attempt, files[start : start + CHUNK]))
            part = [picture for picture in pictures if picture is not None]
            if len(part) == len(pictures) and not failures.damaged and not failures.scales:
                yield part
    failures.raise_any(len(files))


class _Failures:
    """The files that cannot be decoded, and the reasons.

    Attributes:
        damaged: line of text for each file that is not a whole picture.
        scales: line of text for each file that does not say which of its values is white.
        low: smallest value of these.
        high: largest value of these.
    """

    def __init__(self) -> None:
        self.damaged: list[str] = []
        self.scales: list[str] = []
        self.low, self.high = math.inf, -math.inf

    def add_scale(self, path: Path, error: ScaleError) -> None:
        """Note a file that does not say which of its values is white."""
        self.scales.append(printable(f"{path}: {error}"))
        self.low, self.high = min(self.low, error.low), max(self.high, error.high)

    def raise_any(self, count: int) -> None:
        """Raise an error if there is any failure.

        Args:
            count: number of pictures that were tried.

        Raises:
            DataError: there is a failure. The message counts them, and names the first ones.
        """
        if self.scales:
            raise DataError(
                f"{len(self.scales)} of {count} pictures do not say which value is white; say it "
                "by data.range=[black,white], as in "
                f"data.range={likely_range(self.low, self.high)}: {_listing(self.scales)}"
            )
        if self.damaged:
            raise DataError(
                f"{len(self.damaged)} of {count} pictures cannot be decoded; repair or remove "
                f"them: {_listing(self.damaged)}"
            )


def _listing(lines: Sequence[str]) -> str:
    """Return the first of some lines in one line."""
    more = f"; and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return "; ".join(sorted(lines)[:SHOWN]) + more
