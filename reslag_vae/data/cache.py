"""Pictures decoded once, in parallel, into a memory-mapped file."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reslag_vae.data.alone import alone
from reslag_vae.data.errors import DataError

VERSION = 2  # raise it when the file's content changes
CHUNK = 256  # pictures decoded between two writes

Decode = Callable[[Path], NDArray[np.uint8]]


def decoded(
    files: Sequence[Path], decode: Decode, shape: tuple[int, int, int], key: str, source: Path, root: Path
) -> Tensor:
    """The pictures in their order, memory-mapped; decoded only if no file in the cache matches them.

    The cache is `<root>/.cache/reslag_vae`, or the user's cache folder where that cannot be written.
    Its file is found by the options, and by path, size and time of every picture; it appears whole or not
    at all. Of several processes one decodes, and the others wait for it. Files of the same source and
    options that no longer match are removed.

    Args:
        files: the pictures, below `source`.
        decode: from a file to (H, W, C) uint8; called from several threads.
        shape: (C, H, W).
        key: names the data set and every option of `decode`.
        source: the folder of the data set.
        root: the folder of all data sets.

    Returns:
        (N, C, H, W) uint8, channels last in memory; what is written to it stays in this process's memory.

    Raises:
        DataError: pictures cannot be decoded, or the cache cannot be written.
    """
    channels, height, width = shape
    full_shape = (len(files), height, width, channels)
    stem = f"{key}-{_digest([str(source.resolve())])[:8]}"
    name = f"{stem}-{_digest(_manifest(files, source))[:16]}.npy"
    for place in _places(root):
        if (images := _opened(place / name, full_shape)) is not None:
            return images
    path = cache_folder(root) / name
    with alone(path.with_suffix(".lock"), f"decoding {len(files):,} pictures"):
        if (images := _opened(path, full_shape)) is not None:
            return images
        _write(path, full_shape, _decode_all(files, decode))
        for older in set(path.parent.glob(f"{stem}-*.npy")) - {path}:
            older.unlink(missing_ok=True)
        return _channels_last(np.load(path, mmap_mode="c"))


def _digest(lines: Sequence[str]) -> str:
    return sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def _manifest(files: Sequence[Path], source: Path) -> list[str]:
    lines = [f"version {VERSION}"]
    for path in files:
        state = path.stat()
        lines.append(f"{path.relative_to(source)} {state.st_size} {state.st_mtime_ns}")
    return lines


def cache_folder(root: Path) -> Path:
    """The folder, made if it is not there, that takes what is computed once for the data sets in `root`.

    Raises:
        DataError: neither `<root>/.cache/reslag_vae` nor the user's cache folder can be written.
    """
    for place in _places(root):
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(place, os.W_OK):
            return place
    raise DataError(
        f"What is computed once needs a folder, and none of these can be written: {', '.join(map(str, _places(root)))}."
    )


def _places(root: Path) -> tuple[Path, Path]:
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / ".cache" / "reslag_vae", user / "reslag_vae"


def _opened(path: Path, shape: tuple[int, ...]) -> Tensor | None:
    try:
        # Copy on write, because torch warns of arrays that cannot be written to.
        images = np.load(path, mmap_mode="c")
    except (OSError, ValueError, EOFError):
        return None
    return _channels_last(images) if images.shape == shape and images.dtype == np.uint8 else None


def _channels_last(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def _write(path: Path, shape: tuple[int, ...], parts: Iterator[NDArray[np.uint8]]) -> None:
    try:
        with TemporaryDirectory(dir=path.parent, prefix=".decoding-") as folder:
            unfinished = Path(folder, path.name)
            with unfinished.open("wb") as file:
                # A stream: a full disk is an error here, where writing to a memory map would crash.
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                for part in parts:
                    file.write(part.tobytes())
            os.replace(unfinished, path)
    except OSError as reason:
        size = prod(shape) / 1e9
        raise DataError(f"The decoded images ({size:.2f} GB) cannot be written to {path}: {reason}.") from None


def _decode_all(files: Sequence[Path], decode: Decode) -> Iterator[NDArray[np.uint8]]:
    from rich.console import Console
    from rich.progress import track

    failures: list[str] = []

    def attempt(path: Path) -> NDArray[np.uint8] | None:
        try:
            return decode(path)
        except Exception as reason:  # Pillow raises a dozen kinds; each is told with its file
            failures.append(f"{path}: {reason}")
            return None

    title = f"Decoding {len(files):,} pictures, once"
    starts = track(range(0, len(files), CHUNK), title, console=Console(stderr=True))
    with ThreadPoolExecutor() as pool:
        for start in starts:
            images = [image for image in pool.map(attempt, files[start : start + CHUNK]) if image is not None]
            if not failures:
                yield np.stack(images)
    if failures:
        listing = "\n".join(sorted(failures)[:5])
        raise DataError(
            f"{len(failures)} of {len(files)} pictures cannot be decoded; repair or remove them:\n{listing}"
        )
