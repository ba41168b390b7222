"""The report as one self-contained HTML page, without scripts or requests.

It is readable on a phone and in print.
"""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import zip_longest
from typing import NamedTuple

from jinja2 import Environment, FunctionLoader, StrictUndefined

from reslag_vae.studies.report import systems_table, tables
from reslag_vae.studies.report.columns import (
    COST,
    DETAIL,
    OVER_IMAGES,
    YARDSTICK,
    Column,
    best,
    filled_columns,
    level_columns,
)
from reslag_vae.studies.report.contents import Chapter, Contents
from reslag_vae.studies.report.equal_rate import alone, bands_of
from reslag_vae.studies.report.gallery import Gallery
from reslag_vae.studies.report.missing import hours_in_all, missing_table
from reslag_vae.studies.report.pictures import PICTURES, data_uri, pictures_of
from reslag_vae.studies.report.plots import curves, rates, svg
from reslag_vae.studies.report.rows import Row
from reslag_vae.studies.report.spectra import CAPTION, left_out, power_spectra
from reslag_vae.studies.report.systems import System, Systems
from reslag_vae.studies.report.tables import text_of
from reslag_vae.studies.report.thesis import NAMES
from reslag_vae.studies.report.thesis_comparison import compare_with_thesis, count_of_cells

SIGNS = {"better": "▼ ", "worse": "▲ "}

LINES = "Dashed: sigma_optimal. Thin: single seeds."


class Cell(NamedTuple):
    """A cell of a table.

    Attributes:
        text: main text of the cell.
        kind: class of the style sheet that sets the cell's look.
        note: smaller text below the main one.
    """

    text: str
    kind: str = ""
    note: str = ""


def page(contents: Contents) -> str:
    """Return the page as HTML."""
    return rendered(
        "page.html",
        title=contents.name,
        contents=contents,
        tables=tables,
        over_images=OVER_IMAGES,
        chapters=[(chapter, ChapterView(chapter)) for chapter in contents.chapters],
        missing=[[Cell(text) for text in line] for line in missing_table(contents.missing)],
        hours_in_all=hours_in_all(contents.missing),
    )


def systems_page(found: Sequence[Systems], galleries: Mapping[str, Gallery]) -> str:
    """Return the page of all systems as HTML.

    Args:
        found: the systems by data set.
        galleries: pictures of the same images, by the place of a data set.
    """
    groups = []
    for group in found:
        head, *lines = systems_table.table_of(group)
        body = [
            [
                Cell(text, note=notes_of(system).get(name, ""))
                for name, text in zip(head, line, strict=True)
            ]
            for system, line in zip(group.systems, lines, strict=True)
        ]
        drawn = galleries.get(group.place)
        uri = "" if drawn is None else data_uri(drawn.picture, "image/png")
        missing = [] if drawn is None else drawn.missing
        bands = bands_of(group)
        rates = [
            [Cell(text, "" if any(line[1:]) else "band") for text in line]
            for line in systems_table.rate_table(group, bands)
        ]
        groups.append(
            (group, [[*map(Cell, head)], *body], rates, alone(group, bands), uri, missing)
        )
    return rendered(
        "systems.html",
        title="All systems",
        notes=systems_table.NOTES,
        images_text=systems_table.images_text,
        groups=groups,
    )


def notes_of(system: System) -> dict[str, str]:
    """Return by head what a paper's number is of and where it stands, and a row's folder."""
    own, notes = system.published, {systems_table.STUDY: system.row.place}
    if own is not None:
        told = filter(None, (own.what, own.source.removeprefix("https://")))
        notes[systems_table.PAPER] = "; ".join(told)
    return notes


def rendered(template: str, **values: object) -> str:
    """Return a template of this folder with the values and the style sheet filled in."""
    folder = files("reslag_vae.studies.report")
    environment = Environment(
        loader=FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = folder.joinpath("page.css").read_text(encoding="utf-8")
    return environment.get_template(template).render(style=style, **values)


class ChapterView:
    """The tables and pictures of a chapter.

    Args:
        chapter: the chapter to show.
    """

    def __init__(self, chapter: Chapter) -> None:
        self.chapter, self.rows = chapter, chapter.rows

    @property
    def thesis(self) -> list[list[Cell]]:
        """The table of the thesis' terms, each with the thesis' number and the difference below.

        The first line is the head.
        """
        head = [Cell(""), Cell("seeds")]
        body = [[Cell(row.title), Cell(tables.seeds_of(row))] for row in self.rows]
        for term in tables.terms_of(self.rows):
            names = tables.elsewhere(self.rows, term)
            head += [Cell(NAMES[term])]
            head += [Cell(tables.head_on(name, NAMES[term])) for name in names]
            for line, row in zip(body, self.rows, strict=True):
                digits = tables.digits_of(term)
                line += [compared(row, term)]
                line += [Cell(text_of(row.term_on(name, term), digits)) for name in names]
        return [head, *body]

    @property
    def notes(self) -> list[str]:
        """The sentences below that table: further test sets, and the cells that are reached."""
        found = [tables.elsewhere_note(self.rows), count_of_cells(self.rows)]
        return [note for note in found if note]

    @property
    def yardstick(self) -> list[list[Cell]]:
        """The table of numbers that compare between variants."""
        return number_cells(self.rows, YARDSTICK, self.chapter.pca)

    @property
    def levels(self) -> list[list[Cell]]:
        """The table of the KL of each level, of the rows that have several; else its head alone."""
        columns = level_columns(self.rows)
        return number_cells(tables.rows_with(self.rows, columns), columns)

    @property
    def detail(self) -> list[list[Cell]]:
        """The table of the detail of images, of the rows that have such numbers."""
        return number_cells(tables.rows_with(self.rows, DETAIL), DETAIL)

    @property
    def spectra(self) -> list[tuple[str, str]]:
        """The figure of power spectra as a data URI with its caption; empty where there is none."""
        figure = power_spectra(self.rows)
        if figure is None:
            return []
        caption = f"{CAPTION} {left_out(self.rows)}".rstrip()
        return [(data_uri(svg(figure), "image/svg+xml"), caption)]

    @property
    def cost(self) -> list[list[Cell]]:
        """The table of what the variants cost, and where the files of all numbers are."""
        lines, files = number_cells(self.rows, COST), [row.place for row in self.rows]
        return [[*line, Cell(own)] for line, own in zip(lines, ["files", *files], strict=True)]

    @property
    def plots(self) -> list[tuple[str, str]]:
        """The plots as data URIs, each with its caption."""
        captioned = []
        with_rec = [row for row in self.rows if row.runs[0].has_mean]
        if with_rec:
            rec = curves(with_rec, "val/rec", "Rec of validation images")
            captioned.append((rec, f"Rec over training. {LINES}"))
        runs = [run for row in self.rows for run in row.runs]
        if any("val/elbo" in epoch for run in runs for epoch in run.history):
            label = "ELBO of the yardstick (nats)\nof validation images"
            elbo = curves(self.rows, "val/elbo", label)
            captioned.append((elbo, f"The yardstick's ELBO over training. {LINES}"))
        plane = rates(self.rows, self.chapter.pca)
        caption = (
            "Rate against distortion: a point for each run, a line for one without a rate; lower "
            "left is better."
        )
        captioned.append((plane, caption))
        return [(data_uri(svg(figure), "image/svg+xml"), caption) for figure, caption in captioned]

    @property
    def pictures(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Captions and pictures by kind, of the first seed of each row that has one."""
        found = [(heading, pictures_of(self.rows, name)) for name, heading in PICTURES.items()]
        return [(heading, pictures) for heading, pictures in found if pictures]


def compared(row: Row, term: str) -> Cell:
    """Return the cell of a term beside that of the thesis."""
    pair, digits = compare_with_thesis(row, term), tables.digits_of(term)
    if pair.printed is None:
        return Cell(text_of(pair.ours, digits))
    note = f"thesis {tables.rounded(pair.printed, digits)}"
    if pair.is_of_another_variance:
        note += f"; at its s2 {text_of(pair.compared, digits)}"
    if pair.difference is not None and not row.caveats:
        note += f"; {SIGNS.get(pair.verdict, '')}{pair.difference:+,.{digits}f}"
    if pair.verdict in ("within", "one seed"):
        note += f" ({pair.verdict})"
    return Cell(text_of(pair.ours, digits), pair.verdict if pair.verdict in SIGNS else "", note)


def number_cells(
    rows: Sequence[Row], columns: Sequence[Column], pca: float | None = None
) -> list[list[Cell]]:
    """Return a table of numbers in which the best model of each column is marked.

    See `tables.number_table`.
    """
    head, *lines = tables.number_table(rows, columns, pca)
    filled = filled_columns(rows, columns)
    tops = [best(rows, column) for column in filled]
    body = []
    for row, line in zip_longest(rows, lines):
        values = [column.value(row) if row else None for column in filled]
        kinds = [
            "best" if own and own.mean == top else "" for own, top in zip(values, tops, strict=True)
        ]
        body.append([Cell(line[0]), *map(Cell, line[1:], kinds)])
    return [[Cell(text) for text in head], *body]
