"""One HTML page that needs nothing beside it: no script, no request, readable on a phone and in print."""

import base64
from collections.abc import Sequence
from importlib.resources import files
from itertools import zip_longest
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined

from reslag_vae.studies.report import tables
from reslag_vae.studies.report.contents import Chapter, Contents
from reslag_vae.studies.report.plots import curves, rates, svg
from reslag_vae.studies.report.rows import Row
from reslag_vae.studies.report.tables import Column, text_of

PICTURES = {
    "reconstructions": "Reconstructions of validation images",
    "prior_samples": "Samples of the prior",
}

SIGNS = {"better": "▼ ", "worse": "▲ "}

# Data whose pictures may not be passed on: their originals stay out of the page.
NOT_PASSED_ON = ("celeba",)

LINES = "Dashed: sigma_optimal. Thin: single seeds."


class Cell(NamedTuple):
    """Of a table.

    Attributes:
        text: what it says.
        kind: how it looks: a class of the style sheet.
        note: smaller, beneath.
    """

    text: str
    kind: str = ""
    note: str = ""


def page(contents: Contents) -> str:
    """The page."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(
        files("reslag_vae.studies.report").joinpath("page.html").read_text(encoding="utf-8")
    )
    return template.render(
        contents=contents,
        style=files("reslag_vae.studies.report").joinpath("page.css").read_text(encoding="utf-8"),
        chapters=[(chapter, Drawn(chapter)) for chapter in contents.chapters],
    )


class Drawn:
    """The tables and pictures of a chapter.

    Args:
        chapter: on a data set.
    """

    def __init__(self, chapter: Chapter) -> None:
        self.chapter, self.rows = chapter, chapter.rows

    @property
    def thesis(self) -> list[list[Cell]]:
        """Ours with the thesis' beneath, and the difference; the head first."""
        terms = tables.terms_of(self.rows)
        head = [Cell(""), Cell("seeds"), *(Cell(tables.NAMES[term]) for term in terms)]
        body = [
            [Cell(row.title), Cell(tables.seeds_of(row)), *(compared(row, term) for term in terms)]
            for row in self.rows
        ]
        return [head, *body]

    @property
    def yardstick(self) -> list[list[Cell]]:
        """Numbers that compare between variants."""
        return number_cells(self.rows, tables.YARDSTICK, self.chapter.pca)

    @property
    def cost(self) -> list[list[Cell]]:
        """What they cost."""
        return number_cells(self.rows, tables.COST)

    @property
    def plots(self) -> list[tuple[str, str]]:
        """Pictures, and what they show."""
        captioned = [
            (
                curves(self.rows, "val/rec", "Rec of validation images"),
                f"Rec over training. {LINES}",
            )
        ]
        if any("val/elbo" in own for row in self.rows for run in row.runs for own in run.history):
            elbo = curves(
                self.rows, "val/elbo", "ELBO of the yardstick (nats)\nof validation images"
            )
            captioned.append((elbo, f"The yardstick's ELBO over training. {LINES}"))
        plane = rates(self.rows, self.chapter.pca)
        captioned.append(
            (plane, "Rate against distortion, a point for each run: lower left is better.")
        )
        return [(data_uri(svg(figure), "image/svg+xml"), caption) for figure, caption in captioned]

    @property
    def pictures(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """By kind: of the first seed of each row that has it."""
        return [
            (heading, found)
            for name, heading in PICTURES.items()
            if (found := pictures_of(self.rows, name))
        ]


def compared(row: Row, term: str) -> Cell:
    """A term beside that of the thesis."""
    pair, digits = tables.against(row, term), tables.digits_of(term)
    if pair.printed is None:
        return Cell(text_of(pair.ours, digits))
    note = f"thesis {tables.rounded(pair.printed, digits)}"
    if pair.difference is not None and not row.caveats:
        note += f"; {SIGNS.get(pair.verdict, '')}{pair.difference:+,.{digits}f}"
    if pair.verdict in ("within", "one seed"):
        note += f" ({pair.verdict})"
    return Cell(text_of(pair.ours, digits), pair.verdict if pair.verdict in SIGNS else "", note)


def number_cells(
    rows: Sequence[Row], columns: Sequence[Column], pca: float | None = None
) -> list[list[Cell]]:
    """A table of numbers, the best of the models in a column marked; see `tables.number_table`."""
    head, *lines = tables.number_table(rows, columns, pca)
    best = [tables.best(rows, column) for column in tables.shown(rows, columns)]
    body = []
    for row, line in zip_longest(rows, lines):
        values = [column.value(row) if row else None for column in tables.shown(rows, columns)]
        kinds = [
            "best" if own and own.mean == top else "" for own, top in zip(values, best, strict=True)
        ]
        body.append([Cell(line[0]), *map(Cell, line[1:], kinds)])
    return [[Cell(text) for text in head], *body]


def pictures_of(rows: Sequence[Row], name: str) -> list[tuple[str, str]]:
    """Title and picture of each row that has one and may show it."""
    if name == "reconstructions" and rows[0].data in NOT_PASSED_ON:
        return []
    found = [
        (row.title, picture) for row in rows if (picture := row.runs[0].picture(name)) is not None
    ]
    return [(own, data_uri(path.read_bytes(), "image/png")) for own, path in found]


def data_uri(content: bytes, kind: str) -> str:
    """The content within an address."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
