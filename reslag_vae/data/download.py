"""The download of an official file, or instructions for placing it by hand."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from http.client import HTTPException
from pathlib import Path

from reslag_vae._runtime.errors import printable
from reslag_vae._runtime.locks import alone
from reslag_vae.data.errors import PLACE_HINT, DataError, NotThereError
from reslag_vae.data.scratch import scratch

ALLOWED = ContextVar("downloads are allowed", default=True)


@contextmanager
def no_download() -> Iterator[None]:
    """Refuse every download within the context: whoever looks at a run asked for none."""
    before = ALLOWED.set(False)
    try:
        yield
    finally:
        ALLOWED.reset(before)


def fetch(target: Path, urls: Sequence[str], md5: str) -> None:
    """Download a file from the first address that has it; it appears whole or not at all.

    Of several processes one downloads, and the others wait for it.

    Args:
        target: path of the file.
        urls: addresses to try, in this order.
        md5: md5 sum of the file, hexadecimal.

    Raises:
        NotThereError: nothing may be downloaded.
        DataError: no address gives the file, or the file cannot be written.
    """
    if not ALLOWED.get():
        raise NotThereError(f"{target.name} is not in {printable(str(target.parent.absolute()))}")
    made = [folder for folder in target.parents if not folder.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with alone(target.with_name(f".{target.name}.lock"), f"downloading {target.name}"):
            reasons = [] if target.exists() else _download(target, urls, md5)
            if target.exists():
                return
    except OSError as reason:
        reasons = [str(reason)]
    for folder in made:
        with suppress(OSError):  # something is in it
            folder.rmdir()
    raise DataError(
        f"{target.name} is missing and cannot be downloaded ({'; '.join(reasons)}). "
        f"Get it by hand from {' or '.join(urls)} and put it, as it is, into "
        f"{target.parent.absolute()}. {PLACE_HINT}"
    )


def _download(target: Path, urls: Sequence[str], md5: str) -> list[str]:
    """Download a file, and return why the addresses fail before the one that has it."""
    from torchvision.datasets.utils import download_url

    reasons = []
    for url in urls:
        try:
            with scratch(target.parent, f"download-{target.name}") as folder:
                download_url(url, str(folder), target.name, md5)
                os.replace(folder / target.name, target)
            break
        except (OSError, RuntimeError, HTTPException) as reason:
            reasons.append(str(reason))
    return reasons
