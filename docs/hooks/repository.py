"""Files of the repository outside docs/ join the site where a page links to them, such as results.

Links stay as they are on disk, so that they also work where the repository is read.
"""

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

# The target of a Markdown link, without its anchor
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)")

# A link to a folder, which is in the repository alone: its text
FOLDER = re.compile(r"\[([^\]]+)\]\((?![a-z]+:|#)[^)\s#]+/\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what pages link to outside docs/, and what these link to in turn."""
    waiting = [file for file in files if file.src_uri.endswith(".md")]
    while waiting:
        page = waiting.pop()
        for target in LINK.findall(page.content_string):
            path = place(page).parent / target
            uri = site_uri(path)
            if path.is_file() and files.get_file_from_path(uri) is None:
                file = File.generated(config, uri, abs_src_path=str(path.resolve()))
                files.append(file)
                if uri.endswith(".md"):
                    waiting.append(file)
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Return a page's Markdown with links to where the site has these files, and to no folder."""
    here = place(page.file).parent
    folder = os.path.dirname(page.file.src_uri)

    def moved(link: re.Match[str]) -> str:
        uri = re.sub(r"\.ipynb$", ".md", site_uri(here / link[1]))  # notebooks are pages
        return os.path.relpath(uri, folder or ".")

    return LINK.sub(moved, FOLDER.sub(r"\1", markdown))


def place(file: File) -> Path:
    """Return the path of a file of the site in the repository."""
    within = DOCS / file.src_uri
    source = file.abs_src_path
    return Path(source) if source and not within.is_file() else within


def site_uri(path: Path) -> str:
    """Return the name that a file of the repository has in the site."""
    relative = os.path.relpath(os.path.normpath(path), ROOT)
    return relative.removeprefix("docs/")
