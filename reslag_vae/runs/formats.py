"""JSON and NPZ files, written whole or not at all, and read with distrust."""

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reslag_vae._runtime.errors import first_line
from reslag_vae._runtime.files import write_atomically
from reslag_vae.runs.errors import RunError

if TYPE_CHECKING:
    import numpy as np

# The files of a run hold some kB; metrics.csv and evaluation.json may grow to some MB.
MOST_BYTES = 1 << 26
MOST_ARRAY_BYTES = 1 << 28
MOST_DIGITS = 30


def read_json(path: Path) -> dict[str, Any]:
    """Read the names and values of a JSON file; nothing if the file is missing.

    Raises:
        RunError: the file is damaged.
    """
    try:
        content = json.loads(read_bytes(path, MOST_BYTES).decode("utf-8"), parse_int=parse_whole)
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {first_line(error)}") from None
    if not isinstance(content, dict):
        raise RunError(f"{path} is damaged: it holds no names and values.")
    return content


def parse_whole(digits: str) -> int:
    """Return a whole number of a JSON file from its digits.

    Raises:
        ValueError: the number has more digits than any that this package writes.
    """
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"it holds a number of {len(digits)} digits")
    return int(digits)


def read_bytes(path: Path, most: int) -> bytes:
    """Return the content of a file that may come from anywhere.

    Args:
        path: path of the file.
        most: largest size that is read, in bytes.

    Raises:
        FileNotFoundError: the file is missing.
        RunError: the file is larger, is not a regular file, or cannot be read.
    """
    try:
        if not path.is_file():
            if path.exists():
                raise RunError(f"{path} is damaged: it is not a file.")
            raise FileNotFoundError(path)
        if path.stat().st_size > most:
            raise RunError(
                f"{path} is damaged: it is larger than such a file can be ({most:,} bytes)."
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from None


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file, whole or not at all: see `json_text`."""
    write_atomically(path, json_text(content))


def json_text(content: dict[str, Any]) -> str:
    """Return names and values as JSON; numbers that it cannot hold become null."""
    return json.dumps(finite_or_null(content), indent=2, allow_nan=False) + "\n"


def write_arrays(path: Path, arrays: dict[str, "np.ndarray"]) -> None:
    """Write named arrays as a compressed NPZ file, whole or not at all."""
    import numpy as np

    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]  # numpy's stubs take names for options
    write_atomically(path, content.getvalue())


def read_arrays(path: Path) -> dict[str, "np.ndarray"]:
    """Read the named arrays of an NPZ file; none if the file is missing.

    No code in the file is ever run.

    Raises:
        RunError: the file is damaged.
    """
    import numpy as np

    try:
        # From memory: of a damaged file numpy would leave the handle open.
        content = io.BytesIO(read_bytes(path, MOST_BYTES))
        with zipfile.ZipFile(content) as archive:
            size = sum(part.file_size for part in archive.infolist())
        if size > MOST_ARRAY_BYTES:
            raise ValueError(f"it would take {size:,} bytes")
        with np.load(content, allow_pickle=False) as file:
            return dict(file)
    except FileNotFoundError:
        return {}
    except RunError:
        raise
    except Exception as error:  # damaged bytes fail anywhere in the reader, with any exception
        raise RunError(f"{path} is damaged: {first_line(error)}") from None


def finite_or_null(value: Any) -> Any:
    """Return a tree of plain values with infinities and NaN replaced by None."""
    if isinstance(value, dict):
        return {key: finite_or_null(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite_or_null(item) for item in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value
