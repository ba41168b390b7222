"""The report as Markdown."""

from collections.abc import Sequence
from urllib.parse import quote

from reslag_vae._runtime.escape import markdown
from reslag_vae.studies.report import tables
from reslag_vae.studies.report.columns import (
    COST,
    DETAIL,
    OVER_IMAGES,
    YARDSTICK,
    level_columns,
)
from reslag_vae.studies.report.contents import Chapter, Contents
from reslag_vae.studies.report.missing import hours_in_all, missing_table
from reslag_vae.studies.report.spectra import CAPTION, left_out, of_same_originals, spectra_file
from reslag_vae.studies.report.thesis_comparison import count_of_cells

LINKS_NOTE = (
    "Where this page lies beside the results, the name of a row leads to the files of its numbers."
)


def as_markdown(contents: Contents) -> str:
    """Return the report's tables as Markdown, with the notes that they need."""
    parts = [f"# {markdown(contents.name)}", ""]
    parts += [contents.question, ""] if contents.question else []
    seeds = ", ".join(map(str, contents.seeds))
    made_by = "; ".join(map(markdown, contents.made_by))
    parts += [
        f"{len(contents.runs)} finished runs, seeds {seeds}. {made_by}. {LINKS_NOTE}",
        "",
        *[f"{note}\n" for note in contents.reading_notes],
    ]
    for chapter in contents.chapters:
        parts += chapter_lines(chapter)
    if contents.missing:
        parts += ["## Not finished", "", hours_in_all(contents.missing), ""]
        parts += [markdown_table(missing_table(contents.missing))]
    return "\n".join(parts)


def chapter_lines(chapter: Chapter) -> list[str]:
    """Return the lines of the chapter on a data set."""
    images = chapter.images
    lines = [
        f"## {chapter.title}",
        "",
        f"{images['train']:,} images train, {images['val']:,} choose the epoch, "
        f"{images['test']:,} test. Means over seeds ± standard errors.",
        "",
    ]
    if chapter.caveats:
        lines += [
            f"**Not the thesis' experiment:** {'; '.join(map(markdown, chapter.caveats))}.",
            "",
        ]
    places = [row.place for row in chapter.rows]
    lines += [markdown_table(tables.thesis_table(chapter.rows), places)]
    for note in (tables.elsewhere_note(chapter.rows), count_of_cells(chapter.rows)):
        lines += [markdown(note), ""] if note else []
    if chapter.answered:
        lines += [markdown_table(tables.answer_table(chapter.answered))]
    if chapter.unanswered:
        lines += [f"Not answered yet: {' '.join(chapter.unanswered)}", ""]
    numbers = tables.number_table(chapter.rows, YARDSTICK, chapter.pca)
    cost = tables.number_table(chapter.rows, COST)
    lines += [markdown_table(numbers, places), *detail_lines(chapter)]
    return [*lines, markdown_table(cost, places)]


def detail_lines(chapter: Chapter) -> list[str]:
    """Return the lines on levels of latents and on the detail of images, of rows that have any."""
    lines = []
    for columns, note in ((level_columns(chapter.rows), ""), (DETAIL, OVER_IMAGES)):
        rows = tables.rows_with(chapter.rows, columns)
        if rows:
            numbers = tables.number_table(rows, columns)
            lines += [markdown_table(numbers, [row.place for row in rows])]
            lines += [note, ""] if note else []
    if of_same_originals(chapter.rows):
        lines += [f"![{CAPTION}]({spectra_file(chapter.data)})", ""]
        note = left_out(chapter.rows)
        lines += [markdown(note), ""] if note else []
    return lines


def markdown_table(lines: Sequence[Sequence[str]], places: Sequence[str] = ()) -> str:
    """Return a table as Markdown; all columns but the first are numbers.

    Args:
        lines: cells by line; the first line is the head.
        places: folders to which the first cells below the head lead; an empty one is none.
    """
    head, body = [markdown(cell) for cell in lines[0]], [markdown_cells(line) for line in lines[1:]]
    for line, place in zip(body, places, strict=False):
        line[0] = f"[{line[0]}]({quote(place)})" if place else line[0]
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *body]) + "\n"


def markdown_cells(line: Sequence[str]) -> list[str]:
    """Return the cells of a line with the characters escaped that would break a table."""
    first, *numbers = line
    return [markdown(first), *[cell.replace("|", r"\|") for cell in numbers]]
