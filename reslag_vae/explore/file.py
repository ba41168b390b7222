"""The file without a server: one HTML page with all its pictures, which asks for nothing else."""

import html
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from reslag_vae._runtime.files import write_atomically
from reslag_vae.evaluation.pictures.palette import COLORS
from reslag_vae.evaluation.progress import Progress, silent
from reslag_vae.explore.contents import contents
from reslag_vae.explore.explorer import Explorer


def write_file(path: Path, explorers: Sequence[Explorer], progress: Progress = silent) -> None:
    """Write the page of some models as one file.

    Args:
        path: path of the file.
        explorers: explorers of the same pictures, at least one.
        progress: shows how many models are done.

    Raises:
        WriteError: the file cannot be written.
    """
    write_atomically(path, page_of(contents(explorers, progress)))


def page_of(data: dict[str, Any]) -> str:
    """Return the page that shows the contents of a file."""
    title = " · ".join(run["title"] for run in data["runs"])
    parts = {
        "@TITLE@": html.escape(title),
        "@STYLE@": part("style.css") + part("file.css"),
        "@SCRIPT@": part("map.js") + part("file.js"),
        # Last: names of pictures may hold any text.
        "@DATA@": as_json(data | {"colors": COLORS}),
    }
    page = part("page.html")
    for mark, text in parts.items():
        page = page.replace(mark, text)
    return page


def part(name: str) -> str:
    """Return the text of a file of this package."""
    return files("reslag_vae.explore").joinpath(name).read_text(encoding="utf-8")


def as_json(data: Any) -> str:
    """Return JSON that can stand within a script of HTML."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")
