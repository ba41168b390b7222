"""The notebooks as they are kept: without outputs, and a sentence before each cell."""

import ast
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import DOCS

NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))
every_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


def cells(notebook: Path) -> list[dict[str, Any]]:
    """Return the cells of a notebook."""
    found: list[dict[str, Any]] = json.loads(notebook.read_text())["cells"]
    return found


def source(cell: dict[str, Any]) -> str:
    """Return the text of a cell."""
    return "".join(cell["source"])


def test_notebooks_are_found() -> None:
    assert len(NOTEBOOKS) >= 4


@every_notebook
def test_a_notebook_is_kept_without_outputs(notebook: Path) -> None:
    code = [cell for cell in cells(notebook) if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@every_notebook
def test_a_sentence_stands_before_each_cell(notebook: Path) -> None:
    kinds = [cell["cell_type"] for cell in cells(notebook)]
    assert source(cells(notebook)[0]).startswith("# ")
    assert ("code", "code") not in pairwise(kinds)


@every_notebook
def test_a_notebook_is_python(notebook: Path) -> None:
    for cell in cells(notebook):
        if cell["cell_type"] == "code" and not source(cell).startswith("!"):
            ast.parse(source(cell))
