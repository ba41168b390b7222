"""The cache of decoded pictures: each data set is decoded once."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from reslag_vae._runtime.errors import printable
from reslag_vae._runtime.locks import alone
from reslag_vae.data.decoded_file import Decoded, read_decoded, write_decoded
from reslag_vae.data.decoding import Decode, decode_all
from reslag_vae.data.errors import DataError

VERSION = 5  # raise it when the files' content changes


def state_of(path: Path) -> str:
    """Return the size and the times of a file, as text.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        state = path.stat()
    except OSError as reason:
        raise DataError(f"{printable(str(path))} cannot be read: {reason.strerror}.") from None
    # A file edited in place may keep its size and get back its time of writing, but not that of
    # its change.
    return f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"


def decode_once(
    files: Sequence[Path],
    decode: Decode,
    shape: tuple[int, int, int],
    key: str,
    source: Path,
    root: Path,
    check: Callable[[Decoded], None] = lambda _: None,
    state: Callable[[Path], str] = state_of,
) -> Decoded:
    """Return decoded pictures in their order, from the cache if a file there matches them.

    The cache is `<root>/.cache/reslag_vae`, or the user's cache folder if that cannot be written.
    Its files are found by the options, and by path and state of every picture; they appear whole or
    not at all. Of several processes one decodes, and the others wait for it. Files of the same
    source and options that no longer match are removed.

    Args:
        files: paths of the pictures, below `source`.
        decode: function that decodes one picture; it is called from several threads.
        shape: (C, H, W), the shape of an image.
        key: name of the data set, with every option of `decode`.
        source: folder of the data set.
        root: folder of all data sets.
        check: function that refuses what was decoded, by a DataError, before it is kept.
        state: function of a picture's path whose text changes with the picture's content; its size
            and times by default.

    Raises:
        DataError: pictures cannot be decoded, or the cache cannot be written.
    """
    channels, height, width = shape
    full_shape = (len(files), height, width, channels)
    stem = f"{key}-{_digest([str(source.resolve())])[:8]}"
    name = f"{stem}-{_digest(_manifest(files, source, state))[:16]}.npy"
    for place in _places(root):
        if (found := read_decoded(place / name, full_shape)) is not None:
            return found
    path = cache_folder(root) / name
    with alone(path.with_name(f"{stem}.lock"), f"decoding {len(files):,} pictures"):
        if (found := read_decoded(path, full_shape)) is not None:
            return found
        write_decoded(path, full_shape, decode_all(files, decode), check, f"decoding-{stem}")
        for older in path.parent.glob(f"{stem}-*.np[yz]"):
            if older.stem != path.stem:
                older.unlink(missing_ok=True)
        found = read_decoded(path, full_shape)
    if found is None:
        raise DataError(f"{path} was removed or damaged while it was written: start again.")
    return found


def _digest(lines: Sequence[str]) -> str:
    return sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def _manifest(files: Sequence[Path], source: Path, state: Callable[[Path], str]) -> list[str]:
    """Return lines that change with the path or the state of any picture."""
    lines = [f"{path.relative_to(source)} {state(path)}" for path in files]
    return [f"version {VERSION}", *lines]


def cache_folder(root: Path) -> Path:
    """Return the folder for what is computed once for data sets; it is made if it is not there.

    Args:
        root: folder of all data sets.

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
    places = ", ".join(map(str, _places(root)))
    raise DataError(
        f"What is computed once needs a folder, and none of these can be written: {places}."
    )


def _places(root: Path) -> Iterator[Path]:
    """Yield the folders that may be the cache, the preferred one first."""
    yield root / ".cache" / "reslag_vae"
    user = os.environ.get("XDG_CACHE_HOME")
    with suppress(RuntimeError):  # who has no home has no cache there
        yield (Path(user) if user else Path.home() / ".cache") / "reslag_vae"
