"""The site: built whole, asking its readers' browsers for nothing from elsewhere."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.pages import DOCS, ROOT
from tests.docs.test_named import ROOMS

NEEDED = ("mkdocs", "material", "mkdocstrings", "latex2mathml", "nbclient", "ipykernel")
MISSING = [name for name in NEEDED if find_spec(name) is None]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed, see make docs: {MISSING}"),
]

# Whatever a browser fetches by itself, without a click
FETCHED = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed|object)[^>]*\s(?:src|data)=[\"']?(?:https?:)?//"
    r"|<link(?![^>]*rel=[\"']?canonical)[^>]*\shref=[\"']?(?:https?:)?//"
)
FETCHED_BY_STYLE = re.compile(r"@import|url\([\"']?(?:https?:)?//")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of this checkout, with its notebooks executed."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def html(site: Path) -> dict[str, str]:
    """Return the site's pages by their places."""
    return {str(path.relative_to(site)): path.read_text() for path in site.rglob("*.html")}


def test_every_page_is_there(site: Path) -> None:
    wanted = {
        str(path.relative_to(DOCS).with_suffix(".html"))
        for pattern in ("*.md", "*.ipynb")
        for path in DOCS.rglob(pattern)
    }
    assert wanted <= set(html(site))


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    assert [place for place, text in html(site).items() if FETCHED.search(text)] == []
    styles = {path.name: path.read_text() for path in site.rglob("*.css")}
    assert styles
    assert [name for name, text in styles.items() if FETCHED_BY_STYLE.search(text)] == []


def test_equations_are_mathml(site: Path) -> None:
    pages = html(site)
    assert "<math" in pages["parts/objectives.html"]
    assert [place for place, text in pages.items() if 'class="arithmatex"' in text] == []
    unknown = re.compile(r"<m(?:i|o|n|text)>[^<]*\\")  # a command of LaTeX that was not known
    assert [place for place, text in pages.items() if unknown.search(text)] == []


def test_notebooks_have_pictures(site: Path) -> None:
    for notebook in (DOCS / "notebooks").glob("*.ipynb"):
        pictures = list((site / "notebooks").glob(f"{notebook.stem}_*.png"))
        assert len(pictures) >= 3
        assert (site / "notebooks" / notebook.name).is_file()


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_the_api_shows_every_public_name(room: str, site: Path) -> None:
    module: ModuleType = ROOMS[room]
    text = (site / "api" / f"{room}.html").read_text()
    shown = set(re.findall(r'<h2 id="([\w.]+)"', text))
    assert {f"{module.__name__}.{name}" for name in module.__all__} <= shown
