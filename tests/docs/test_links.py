"""Links between the repository's own pages lead somewhere."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, pages

LINK = re.compile(r"\]\((?![a-z]+:)([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

WRITTEN = [
    *pages(),
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "experiments").rglob("*.md")),
]


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the names by which links lead to a page's headings."""
    found = set()
    for heading in HEADING.findall(prose(page)):
        words = re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip().lower()
        found.add(re.sub(r"[\s-]+", "-", words))
    return found


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        target, _, anchor = link.partition("#")
        place = (page.parent / target) if target else page
        assert place.exists(), link
        if anchor:
            assert anchor in anchors(place), link


def test_every_test_of_the_promises_is_there() -> None:
    named = re.findall(r"`(tests/[^`]+)`", (ROOT / "docs" / "promises.md").read_text())
    assert named
    assert [own for own in named if not (ROOT / own).exists()] == []


def test_links_are_found() -> None:
    assert len(LINK.findall(prose(ROOT / "README.md"))) > 15


def test_the_readme_fits_on_a_page_or_two() -> None:
    """The project's README is read before its pages: at most 150 lines."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
