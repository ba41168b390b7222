"""Pictures decoded once, into a memory-mapped file."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reslag_vae._runtime.errors import printable
from reslag_vae._runtime.locks import alone
from reslag_vae.data.decoding import Decode, decode_all
from reslag_vae.data.errors import DataError
from reslag_vae.data.inventory import DIGEST_BYTES, image_digests
from reslag_vae.data.pictures import Picture
from reslag_vae.data.scratch import scratch

VERSION = 5  # raise it when the files' content changes


class Decoded(NamedTuple):
    """Pictures out of the cache.

    Attributes:
        images: (N, C, H, W) uint8, channels last in memory, memory-mapped; what is written to it
            stays in this process's memory.
        digests: (N,) of the pixels of each.
        frames: (N,) how many frames or pages each picture has.
        peaks: (N,) the largest value of each picture of 16 bits; 0 of the others.
        lightest: (N,) the largest number of the image.
        constant: (N,) whether all pixels of the image are the same.
        cut: (N,) whether the picture has values beyond those that were said to be black and white.
    """

    images: Tensor
    digests: NDArray[np.void]
    frames: NDArray[np.int64]
    peaks: NDArray[np.int64]
    lightest: NDArray[np.uint8]
    constant: NDArray[np.bool_]
    cut: NDArray[np.bool_]


def state_of(path: Path) -> str:
    """The size and the times of a file.

    Raises:
        DataError: it cannot be read.
    """
    try:
        state = path.stat()
    except OSError as reason:
        raise DataError(f"{printable(str(path))} cannot be read: {reason.strerror}.") from None
    # A file edited in place may keep its size and get back its time of writing, but not that of
    # its change.
    return f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"


def decoded(
    files: Sequence[Path],
    decode: Decode,
    shape: tuple[int, int, int],
    key: str,
    source: Path,
    root: Path,
    check: Callable[[Decoded], None] = lambda _: None,
    state: Callable[[Path], str] = state_of,
) -> Decoded:
    """The pictures in their order; decoded only if no file in the cache matches them.

    The cache is `<root>/.cache/reslag_vae`, or the user's cache folder where that cannot be
    written. Its files are found by the options, and by path and state of every picture; they
    appear whole or not at all. Of several processes one decodes, and the others wait for it. Files
    of the same source and options that no longer match are removed.

    Args:
        files: the pictures, below `source`.
        decode: one of them; called from several threads.
        shape: (C, H, W).
        key: names the data set and every option of `decode`.
        source: the folder of the data set.
        root: the folder of all data sets.
        check: refuses what was decoded, by a DataError, before it is kept.
        state: of a picture, in words that change with its content; its size and times by default.

    Raises:
        DataError: pictures cannot be decoded, or the cache cannot be written.
    """
    channels, height, width = shape
    full_shape = (len(files), height, width, channels)
    stem = f"{key}-{_digest([str(source.resolve())])[:8]}"
    name = f"{stem}-{_digest(_manifest(files, source, state))[:16]}.npy"
    for place in _places(root):
        if (found := _opened(place / name, full_shape)) is not None:
            return found
    path = cache_folder(root) / name
    with alone(path.with_name(f"{stem}.lock"), f"decoding {len(files):,} pictures"):
        if (found := _opened(path, full_shape)) is not None:
            return found
        _write(path, full_shape, decode_all(files, decode), stem, check)
        for older in path.parent.glob(f"{stem}-*.np[yz]"):
            if older.stem != path.stem:
                older.unlink(missing_ok=True)
        found = _opened(path, full_shape)
    if found is None:
        raise DataError(f"{path} was removed or damaged while it was written: start again.")
    return found


def _digest(lines: Sequence[str]) -> str:
    return sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def _manifest(files: Sequence[Path], source: Path, state: Callable[[Path], str]) -> list[str]:
    lines = [f"{path.relative_to(source)} {state(path)}" for path in files]
    return [f"version {VERSION}", *lines]


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


def _places(root: Path) -> Iterator[Path]:
    yield root / ".cache" / "reslag_vae"
    user = os.environ.get("XDG_CACHE_HOME")
    with suppress(RuntimeError):  # who has no home has no cache there
        yield (Path(user) if user else Path.home() / ".cache") / "reslag_vae"


def _opened(path: Path, shape: tuple[int, ...]) -> Decoded | None:
    try:
        # Copy on write, because torch warns of arrays that cannot be written to.
        images = np.load(path, mmap_mode="c")
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
            facts = dict(file)
        digests = facts.pop("digests").view(np.dtype((np.void, DIGEST_BYTES)))[:, 0]
        found = Decoded(_channels_last(images), digests, **facts)
    except Exception:  # a damaged file fails in any way: it is made anew
        return None
    whole = images.shape == shape and images.dtype == np.uint8
    return found if whole and all(len(fact) == shape[0] for fact in found) else None


def _channels_last(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def _write(
    path: Path,
    shape: tuple[int, ...],
    parts: Iterator[list[Picture]],
    stem: str,
    check: Callable[[Decoded], None],
) -> None:
    facts: list[dict[str, NDArray[np.generic]]] = []
    try:
        with scratch(path.parent, f"decoding-{stem}") as folder:
            unfinished = folder / path.name
            with unfinished.open("wb") as file:
                # A stream: a full disk is an error here, where writing to a memory map would crash.
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                for part in parts:
                    pixels = np.stack([picture.pixels for picture in part])
                    file.write(pixels.tobytes())
                    facts.append(_facts(part, pixels))
            every = {name: np.concatenate([part[name] for part in facts]) for name in facts[0]}
            with unfinished.with_suffix(".npz").open("wb") as file:
                np.savez(file, **every)  # type: ignore[arg-type]  # numpy's stubs take names for options
            found = _opened(unfinished, shape)
            assert found is not None, "it was written just now"
            check(found)
            os.replace(unfinished.with_suffix(".npz"), path.with_suffix(".npz"))
            os.replace(unfinished, path)
    except OSError as reason:
        size = prod(shape) / 1e9
        raise DataError(
            f"The decoded images ({size:.2f} GB) cannot be written to {path}: {reason}."
        ) from None


def _facts(pictures: list[Picture], pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.generic]]:
    digests = image_digests(_channels_last(pixels))
    return {
        "digests": digests.view(np.uint8).reshape(len(pixels), DIGEST_BYTES),
        "frames": np.array([picture.frames for picture in pictures]),
        "peaks": np.array([picture.peak for picture in pictures]),
        "cut": np.array([picture.cut for picture in pictures]),
        "lightest": pixels.max((1, 2, 3)),
        "constant": (pixels == pixels[:, :1, :1]).all((1, 2, 3)),
    }
