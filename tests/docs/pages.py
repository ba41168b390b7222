"""The pages of the documentation, and the code in them."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

# A fenced block: its language and title, and its text
BLOCK = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# A line that gives a command of this package, perhaps with variables before it
COMMAND = re.compile(r"^(?:[A-Z_]+=\S* )*((?:python|reslag|torchrun|srun) .*)", re.MULTILINE)
TITLE = re.compile(r'title="([^"]+)"')


class Block(NamedTuple):
    """A fenced block of a page.

    Attributes:
        language: its language; empty for commands and output.
        title: name of the file that it is; empty if it is none.
        text: its lines.
    """

    language: str
    title: str
    text: str


def pages() -> list[Path]:
    """Return the README and every page, without notebooks."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    found = BLOCK.findall(page.read_text())
    titles = [TITLE.search(rest) for _, rest, _ in found]
    return [
        Block(language, title[1] if title else "", text)
        for (language, _, text), title in zip(found, titles, strict=True)
    ]


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the commands in a page's blocks as words, without variables and comments."""
    for block in blocks(page):
        if not block.language:
            for line in COMMAND.findall(block.text.replace("\\\n", " ")):
                yield shlex.split(line, comments=True)
