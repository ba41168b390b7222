"""Tables of pictures by name, written a batch at a time: CSV, NPZ and Parquet."""

import csv
import io
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Self

import numpy as np

from reslag_vae._runtime.files import opened_atomically

# Columns by name: (B,) values, or (B, n) values of n columns that are numbered from 1.
Columns = Mapping[str, np.ndarray]
Add = Callable[[Sequence[str], Columns], None]

# The column of the pictures' names
FILE = "file"

# Rows of a Parquet file that are compressed together.
ROWS = 8192


def open_table(path: Path) -> AbstractContextManager[Add]:
    """Open a table for writing; it appears under its name when the context ends without an error.

    Within the context a function is given that adds rows: names and their columns. The suffix
    chooses the format.
    """
    return {".csv": csv_table, ".npz": npz_table, ".parquet": parquet_table}[path.suffix.lower()](
        path
    )


def headings(name: str, values: np.ndarray) -> list[str]:
    """Return the headings of the columns of a name, such as z1, z2, z3."""
    return [name] if values.ndim == 1 else [f"{name}{i + 1}" for i in range(values.shape[1])]


@contextmanager
def csv_table(path: Path) -> Iterator[Add]:
    """Open a CSV file with a line of headings."""
    with opened_atomically(path) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="")
        writer, begun = csv.writer(text, lineterminator="\n"), False

        def add(names: Sequence[str], columns: Columns) -> None:
            nonlocal begun
            if not begun:
                begun = True
                parts = [headings(name, values) for name, values in columns.items()]
                writer.writerow([FILE, *(heading for part in parts for heading in part)])
            cells = [texts(values) for values in columns.values()]
            for row, name in enumerate(names):
                writer.writerow([name, *(cell for part in cells for cell in part[row])])

        try:
            yield add
            text.flush()
        finally:
            text.detach()


def texts(values: np.ndarray) -> list[list[str]]:
    """Return the cells of (B,) or (B, n) values: nine digits, by which float32 is exact."""
    rows = values.reshape(len(values), -1).tolist()
    if values.dtype.kind == "f":
        return [[f"{value:.9g}" for value in row] for row in rows]
    return [[str(value) for value in row] for row in rows]


@contextmanager
def npz_table(path: Path) -> Iterator[Add]:
    """Open an NPZ file: `file`, the (N,) names, and an array of each name of columns.

    Rows wait in unnamed files, since an array begins with its length.
    """
    names: list[str] = []
    spools: dict[str, Spool] = {}

    def add(own: Sequence[str], columns: Columns) -> None:
        names.extend(own)
        for name, values in columns.items():
            if name not in spools:
                spools[name] = stack.enter_context(Spool())
            spools[name].add(values)

    with ExitStack() as stack:
        file = stack.enter_context(opened_atomically(path))
        out = stack.enter_context(zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED))
        yield add
        with out.open(f"{FILE}.npy", "w", force_zip64=True) as entry:
            np.lib.format.write_array(entry, np.array(names), allow_pickle=False)
        for name, spool in spools.items():
            with out.open(f"{name}.npy", "w", force_zip64=True) as entry:
                spool.write_to(entry)


@contextmanager
def parquet_table(path: Path) -> Iterator[Add]:
    """Open a Parquet file."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    waiting: list[Any] = []
    with opened_atomically(path) as file:
        writer: Any = None

        def write() -> None:
            nonlocal writer
            if not waiting:
                return
            table = pyarrow.concat_tables(waiting)
            if writer is None:
                writer = ParquetWriter(file, table.schema)
            writer.write_table(table)
            waiting.clear()

        def add(names: Sequence[str], columns: Columns) -> None:
            cells: dict[str, Any] = {FILE: pyarrow.array(list(names), pyarrow.string())}
            for name, values in columns.items():
                parts = values.reshape(len(values), -1).T
                cells |= dict(zip(headings(name, values), map(pyarrow.array, parts), strict=True))
            waiting.append(pyarrow.table(cells))
            if sum(len(table) for table in waiting) >= ROWS:
                write()

        yield add
        write()
        if writer is not None:
            writer.close()


class Spool:
    """Rows of numbers in an unnamed file, which need no memory; a context closes it."""

    def __init__(self) -> None:
        self.file = TemporaryFile()  # noqa: SIM115  # open as long as the spool is there
        self.count, self.width, self.dtype = 0, (), np.dtype(np.float32)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def add(self, values: np.ndarray) -> None:
        """Add (B, ...) rows, of one shape and type."""
        self.count += len(values)
        self.width, self.dtype = values.shape[1:], values.dtype
        self.file.write(np.ascontiguousarray(values).tobytes())

    def rows(self) -> np.ndarray:
        """Return the (N, ...) rows, mapped to memory; they outlive the spool."""
        self.file.flush()
        return np.memmap(self.file, self.dtype, "r", shape=(self.count, *self.width))

    def write_to(self, target: Any) -> None:
        """Write the rows as an array of numpy's file format."""
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.count, *self.width),
        }
        np.lib.format.write_array_header_2_0(target, header)
        self.file.seek(0)
        shutil.copyfileobj(self.file, target)
