"""Notebooks are executed when the site is built, and become pages with their outputs."""

import base64
import os
import re
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files, InclusionLevel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

# Longer than any cell on a slow machine takes
SECONDS = 600

# What precedes a notebook's own first cell
HEAD = """---
hide:
  - toc
---

<a class="download" href="{name}.ipynb" download>Download this notebook</a>
"""

COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Executed(NamedTuple):
    """A notebook that has been executed.

    Attributes:
        markdown: its cells and their outputs.
        pictures: its pictures as PNG files, by their names.
    """

    markdown: str
    pictures: dict[str, bytes]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace notebooks by pages, and add their pictures."""
    for file in list(files):
        if not file.src_uri.endswith(".ipynb"):
            continue
        name = Path(file.src_uri).stem
        try:
            done = executed(file.content_string, name)
        except CellExecutionError as error:
            raise PluginError(f"{file.src_uri}: {error}") from None
        files.remove(file)
        page = file.src_uri.removesuffix(".ipynb") + ".md"
        files.append(File.generated(config, page, content=done.markdown))
        for picture, content in done.pictures.items():
            place = f"{Path(file.src_uri).parent.as_posix()}/{picture}"
            files.append(
                File.generated(config, place, content=content, inclusion=InclusionLevel.NOT_IN_NAV)
            )
        files.append(file)
    return files


@cache  # while pages are edited, notebooks are executed once
def executed(text: str, name: str) -> Executed:
    """Execute a notebook in a folder of its own.

    Args:
        text: the notebook's file.
        name: the notebook's name, of which its pictures' names are made.
    """
    notebook = nbformat.reads(text, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook,
            timeout=SECONDS,
            resources={"metadata": {"path": folder}},
            extra_arguments=["--log-level=ERROR"],
        ).execute(env=environment())
    parts = [HEAD.format(name=name)]
    pictures: dict[str, bytes] = {}
    said = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            said = cell.source
            parts.append(cell.source)
            continue
        parts.append(fenced("python", cell.source))
        for shown in outputs(cell):
            if isinstance(shown, str):
                parts.append(fenced("{ .text .output }", shown))
                continue
            file = f"{name}_{len(pictures) + 1}.png"
            pictures[file] = shown
            parts.append(f"![{alternative(said)}]({file})")
    return Executed("\n\n".join(parts), pictures)


def environment() -> dict[str, str]:
    """Return the variables of a notebook's process.

    The commands of this environment are found first, and draw no progress bars.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "TERM": "dumb"}


def outputs(cell: Any) -> list[bytes | str]:
    """Return what a cell shows: PNG files, and texts, joined where they follow each other."""
    shown: list[bytes | str] = []
    for output in cell.outputs:
        data = output.get("data", {})
        if "image/png" in data:
            shown.append(base64.b64decode(data["image/png"]))
            continue
        text = output.get("text") or data.get("text/plain", "")
        if shown and isinstance(shown[-1], str):
            text = shown.pop() + text
        shown.append(text)
    texts = [as_lines(own) if isinstance(own, str) else own for own in shown]
    return [own for own in texts if own]


def as_lines(text: str) -> str:
    """Return a text as a terminal shows it."""
    lines = COLOURS.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rpartition("\r")[2] for line in lines).strip("\n")


def fenced(language: str, text: str) -> str:
    """Return a fenced block."""
    return f"```{language}\n{text}\n```"


def alternative(said: str) -> str:
    """Return what a picture shows: the last sentence before its cell."""
    sentence = said.strip().split("\n")[-1]
    return re.sub(r"[\[\]`*]", "", sentence)
