"""Tables of names and numbers: what is written is read back, and nothing half-written is left."""

import csv
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reslag_vae.apply.tables import Spool, open_table

NAMES = ["a.png", 'käse, "1"\n.png', "b/c.png"]
CODES = np.array([[1.5, -2], [1 / 3, 1e-30], [np.pi, 7]], dtype=np.float32)
SCORES = np.array([0.1, 2e10, -3])


def write(path: Path) -> None:
    """Two batches of rows."""
    with open_table(path) as add:
        add(NAMES[:2], {"z": CODES[:2], "score": SCORES[:2]})
        add(NAMES[2:], {"z": CODES[2:], "score": SCORES[2:]})


def test_csv(tmp_path: Path) -> None:
    write(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert head == ["file", "z1", "z2", "score"]
    assert [row[0] for row in rows] == NAMES
    numbers = np.array([[float(cell) for cell in row[1:]] for row in rows])
    assert np.array_equal(numbers[:, :2].astype(np.float32), CODES)
    assert np.array_equal(numbers[:, 2], SCORES)


def test_npz(tmp_path: Path) -> None:
    write(tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz", allow_pickle=False) as file:
        assert file["file"].tolist() == NAMES
        assert np.array_equal(file["z"], CODES)
        assert np.array_equal(file["score"], SCORES)
        assert (file["z"].dtype, file["score"].dtype) == (np.float32, np.float64)


@pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed")
def test_parquet(tmp_path: Path) -> None:
    import pyarrow.parquet

    write(tmp_path / "t.parquet")
    table: Any = pyarrow.parquet.read_table(tmp_path / "t.parquet")
    assert table.column_names == ["file", "z1", "z2", "score"]
    assert table["file"].to_pylist() == NAMES
    assert np.array_equal(table["z2"].to_numpy(), CODES[:, 1])
    assert np.array_equal(table["score"].to_numpy(), SCORES)


def interrupted(path: Path) -> None:
    with open_table(path) as add:
        add(NAMES, {"z": CODES})
        raise ValueError("in the midst")


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_an_error_leaves_the_file_of_before(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_text("before")
    with pytest.raises(ValueError, match="in the midst"):
        interrupted(path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_whole_numbers_stay_whole(tmp_path: Path) -> None:
    with open_table(tmp_path / "t.csv") as add:
        add(["a"], {"code": np.array([[3, 2**40]])})
    assert (tmp_path / "t.csv").read_text() == f"file,code1,code2\na,3,{2**40}\n"


def test_a_spool_gives_back_its_rows() -> None:
    with Spool() as spool:
        spool.add(CODES[:1])
        spool.add(CODES[1:])
        rows = spool.rows()
    assert np.array_equal(rows, CODES)
