"""The report as CSV, for spreadsheets."""

import csv
import io
from collections.abc import Mapping, Sequence

from reslag_vae.studies.report.columns import (
    COST,
    DETAIL,
    THESIS_TOTAL,
    YARDSTICK,
    level_columns,
)
from reslag_vae.studies.report.rows import Row
from reslag_vae.studies.report.statistics import Estimate
from reslag_vae.studies.report.tables import elsewhere
from reslag_vae.studies.report.thesis import TERMS


def as_csv(rows: Mapping[str, Sequence[Row]]) -> str:
    """Return a CSV line for each row: every number, its standard error, and the thesis' numbers."""
    every = [row for group in rows.values() for row in group]
    known = (THESIS_TOTAL, *YARDSTICK, *DETAIL, *level_columns(every), *COST)
    columns = [column for column in known if column.key not in TERMS]
    head = ["data", "row", "model", "objective", "title", "seeds"]
    head += [f"{term}{suffix}" for term in TERMS for suffix in ("", "_error", "_thesis")]
    head += [f"{column.key}{suffix}" for column in columns for suffix in ("", "_error")]
    pairs = [(name, term) for term in TERMS for name in elsewhere(every, term)]
    head += [f"{term}_on_{name}{suffix}" for name, term in pairs for suffix in ("", "_error")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*head, "caveats"])
    for data, group in rows.items():
        for row in group:
            cells: list[object] = [
                data,
                row.name,
                row.model,
                row.objective,
                row.title,
                len(row.runs),
            ]
            for term in TERMS:
                cells += [*pair_of(row.term(term)), row.printed.get(term, "")]
            for column in columns:
                cells += pair_of(column.value(row))
            for name, term in pairs:
                cells += pair_of(row.term_on(name, term))
            cells.append("; ".join(row.caveats))
            writer.writerow(
                [without_formula(cell) if isinstance(cell, str) else cell for cell in cells]
            )
    return text.getvalue()


def without_formula(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def pair_of(own: Estimate | None) -> list[object]:
    """Return a mean and its error; empty texts for what is missing."""
    return ["", ""] if own is None else [own.mean, "" if own.error is None else own.error]
