"""The tables of a report, as Markdown and CSV."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from reslag_vae._runtime.escape import markdown
from reslag_vae.studies.report.finished import FinishedRun
from reslag_vae.studies.report.questions import AnsweredQuestion, Comparison
from reslag_vae.studies.report.rows import Row, as_float, has_term
from reslag_vae.studies.report.statistics import Estimate
from reslag_vae.studies.report.thesis import TERMS

NAMES = {"rec": "Rec", "lat": "Lat", "mmd": "MMD", "total": "Total"}

# The title of the linear limit.
PCA = "PCA, as many components"

# Terms of which less is better.
LESS_IS_BETTER = ("rec", "mmd", "total")


class ThesisComparison(NamedTuple):
    """A number of ours beside the thesis'.

    Attributes:
        ours: the estimate over our seeds; None if there is none.
        printed: the number that the thesis printed; None if it did not.
        verdict: `better` or `worse`; `within` what one more run may do; `one seed`, which says
            nothing of that; empty if the two do not compare.
    """

    ours: Estimate | None
    printed: float | None
    verdict: str

    @property
    def difference(self) -> float | None:
        """Our mean less the thesis' number."""
        return None if self.ours is None or self.printed is None else self.ours.mean - self.printed


def compare_with_thesis(row: Row, term: str) -> ThesisComparison:
    """Compare a term of a row with that of the thesis.

    The thesis ran each cell once, so the question is whether one more run of ours could have given
    its number: the difference has to exceed the 95% prediction interval for one more run. The Total
    of a sigma_data row is that at the thesis' own variance.
    """
    ours, printed = row.term(term), row.printed.get(term)
    if ours is None or printed is None or row.caveats or term not in LESS_IS_BETTER:
        return ThesisComparison(ours, printed, "")
    compared = (row.total_at_thesis_sigma2 if term == "total" else None) or ours
    if compared.spread_of_one is None:
        return ThesisComparison(ours, printed, "one seed")
    if abs(compared.mean - printed) <= compared.spread_of_one:
        return ThesisComparison(ours, printed, "within")
    return ThesisComparison(ours, printed, "better" if compared.mean < printed else "worse")


class Column(NamedTuple):
    """A number beside the thesis' four terms.

    Attributes:
        key: the column's name in the CSV file.
        name: the column's heading.
        value: function of a row that returns its number; None if it has none.
        digits: number of digits after the point, or of significant ones if negative.
        best: `max` or `min`, whichever is better among several rows; empty if neither is.
    """

    key: str
    name: str
    value: Callable[[Row], Estimate | None]
    digits: int
    best: str = ""


def from_evaluation(group: str, name: str) -> Callable[[Row], Estimate | None]:
    """Return a function that takes a number from evaluation.json."""
    return lambda row: row.estimate(lambda run: run.evaluation_value(group, name))


def from_result(*path: str) -> Callable[[Row], Estimate | None]:
    """Return a function that takes a number from metrics.json."""

    def value(run: FinishedRun) -> float | None:
        node: object = run.result
        for key in path:
            node = node.get(key) if isinstance(node, dict) else None
        return as_float(node)

    return lambda row: row.estimate(value)


THESIS_TOTAL = Column(
    "total_at_thesis_sigma2", "Total at the thesis' s2", lambda row: row.total_at_thesis_sigma2, 2
)

YARDSTICK = (
    Column("elbo", "ELBO, yardstick", from_result("test", "elbo"), 1, "max"),
    Column("bits_per_dim", "bits/dim of it", from_result("test", "bits_per_dim"), 3, "min"),
    Column("rec", "Rec", from_result("test", "rec"), 2, "min"),
    Column("kl", "KL, nats", from_result("test", "kl"), 2),
    Column("active_units", "active units", from_result("test", "active_units"), 1),
    Column("sigma2", "sigma2", from_result("test", "sigma2"), -3),
    Column(
        "importance_weighted_bound",
        "IW bound, own sigma2",
        from_evaluation("likelihood", "importance_weighted_bound"),
        1,
        "max",
    ),
    Column("ssim", "SSIM", from_evaluation("reconstruction", "ssim"), 3, "max"),
    Column(
        "nearest_neighbours", "k-NN", from_evaluation("classes", "nearest_neighbours"), 3, "max"
    ),
    Column(
        "frechet_prior",
        "classifier Fréchet, prior",
        from_evaluation("samples", "classifier_frechet_prior"),
        2,
        "min",
    ),
    Column(
        "frechet_mixture",
        "of a mixture",
        from_evaluation("samples", "classifier_frechet_mixture"),
        2,
        "min",
    ),
)

COST = (
    Column("parameters", "parameters", from_result("parameters", "total"), 0),
    Column("epoch", "best epoch", from_result("epoch"), 0),
    Column("epochs_run", "epochs", from_result("epochs_run"), 0),
    Column("aggressive_epochs", "aggressive", from_result("aggressive_epochs"), 0),
    Column("seconds", "seconds of training", from_result("seconds"), 0),
    Column("images_per_second", "images/s", from_result("images_per_second"), 0),
)


def filled_columns(rows: Sequence[Row], columns: Sequence[Column]) -> list[Column]:
    """Return the columns in which any row has a number."""
    return [column for column in columns if any(column.value(row) is not None for row in rows)]


def best(rows: Sequence[Row], column: Column) -> float | None:
    """Return the best of the rows' means in a column; None if nothing can be best."""
    values = [column.value(row) for row in rows]
    found = [value.mean for value in values if value is not None]
    if not column.best or len(found) < 2:
        return None
    return max(found) if column.best == "max" else min(found)


def text_of(own: Estimate | None, digits: int) -> str:
    """Return an estimate as text, such as `10.00 ± 0.04`, or a dash for None."""
    if own is None:
        return "-"
    value = rounded(own.mean, digits)
    if not own.error:
        return value
    error = rounded(own.error, digits)
    if float(error.replace(",", "")) == 0:
        # An error that would be rounded to zero is shown with one significant digit.
        error = f"{own.error:.1g}"
    return f"{value} ± {error}"


def rounded(value: float, digits: int) -> str:
    """Return a number with so many digits after the point, or significant ones if negative."""
    return f"{value:,.{digits}f}" if digits >= 0 else f"{value:.{-digits}g}"


def digits_of(term: str) -> int:
    """Return the number of digits after the point of a term."""
    return 4 if term == "mmd" else 2


def terms_of(rows: Sequence[Row]) -> list[str]:
    """Return the terms that any of the rows has."""
    return [term for term in TERMS if has_term(rows, term)]


def seeds_of(row: Row) -> str:
    """Return the number of a row's runs as text."""
    return str(len(row.runs))


def thesis_table(rows: Sequence[Row]) -> list[list[str]]:
    """Return the table of the thesis' terms beside ours; the first line is the head."""
    terms = terms_of(rows)
    printed = any(row.printed for row in rows)
    head = ["", "seeds"]
    for term in terms:
        head += [f"{NAMES[term]}, thesis", NAMES[term]] if printed else [NAMES[term]]
    lines = [head]
    for row in rows:
        cells = [row.title, seeds_of(row)]
        for term in terms:
            pair = compare_with_thesis(row, term)
            if printed:
                cells.append(
                    "-" if pair.printed is None else rounded(pair.printed, digits_of(term))
                )
            mark = f" ({pair.verdict})" if pair.verdict in ("better", "worse", "within") else ""
            cells.append(text_of(pair.ours, digits_of(term)) + mark)
        lines.append(cells)
    if any(row.total_at_thesis_sigma2 for row in rows):
        lines[0].append(THESIS_TOTAL.name)
        for line, row in zip(lines[1:], rows, strict=True):
            line.append(text_of(row.total_at_thesis_sigma2, THESIS_TOTAL.digits))
    return lines


def number_table(
    rows: Sequence[Row], columns: Sequence[Column], pca: float | None = None
) -> list[list[str]]:
    """Return a table of numbers; the first line is the head, the last one the linear limit.

    Args:
        rows: rows of a data set.
        columns: columns; those in which no row has a number are left out.
        pca: Rec of as many principal components as codes have numbers; None leaves that line out.
    """
    own = filled_columns(rows, columns)
    lines = [["", *[column.name for column in own]]]
    for row in rows:
        cells = [text_of(column.value(row), column.digits) for column in own]
        lines.append([row.title, *cells])
    if pca is not None:
        cells = [rounded(pca, column.digits) if column.name == "Rec" else "-" for column in own]
        lines.append([PCA, *cells])
    return lines


def answer_table(answered: Sequence[AnsweredQuestion]) -> list[list[str]]:
    """Return the table of questions and answers; the first line is the head."""
    lines = [
        [
            "question",
            "by",
            "difference",
            "95% over images",
            "95% over seeds",
            "these models",
            "the methods",
        ]
    ]
    for own in answered:
        for position, comparison in enumerate(own.comparisons):
            lines.append(["" if position else own.question.text, *cells_of(comparison)])
    return lines


def cells_of(comparison: Comparison) -> list[str]:
    """Return the cells of a comparison, beside its question."""
    seeds, images = comparison.seeds, comparison.images
    digits, level = (2, "") if comparison.margin is None else (4, ", 90%")
    over_seeds = "one seed"
    if seeds is not None:
        interval = f"{seeds.low:+,.{digits}f} to {seeds.high:+,.{digits}f}"
        over_seeds = f"{interval} ({comparison.shared_seeds} seeds){level}"
    return [
        f"{comparison.measure}{direction(comparison)}",
        f"{images.difference:+,.{digits}f}",
        f"{images.low:+,.{digits}f} to {images.high:+,.{digits}f}{level}",
        over_seeds,
        comparison.of_models.value,
        comparison.of_methods.value,
    ]


def direction(comparison: Comparison) -> str:
    """Return which way is better, in brackets; empty for a question of equivalence."""
    if comparison.margin is not None:
        return ""
    return f" ({'higher' if comparison.higher_is_better else 'lower'} is better)"


def markdown_table(lines: Sequence[Sequence[str]]) -> str:
    """Return a table as Markdown; all columns but the first are numbers."""
    head, *body = [markdown_cells(line) for line in lines]
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *body]) + "\n"


def markdown_cells(line: Sequence[str]) -> list[str]:
    """Return the cells of a line with the characters escaped that would break a table."""
    first, *numbers = line
    return [markdown(first), *[cell.replace("|", r"\|") for cell in numbers]]


def as_csv(rows: Mapping[str, Sequence[Row]]) -> str:
    """Return a CSV line for each row: every number, its standard error, and the thesis' numbers."""
    columns = [column for column in (THESIS_TOTAL, *YARDSTICK, *COST) if column.key not in TERMS]
    head = ["data", "row", "model", "objective", "title", "seeds"]
    head += [f"{term}{suffix}" for term in TERMS for suffix in ("", "_error", "_thesis")]
    head += [f"{column.key}{suffix}" for column in columns for suffix in ("", "_error")]
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
            cells.append("; ".join(row.caveats))
            writer.writerow([plain(cell) if isinstance(cell, str) else cell for cell in cells])
    return text.getvalue()


def plain(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def pair_of(own: Estimate | None) -> list[object]:
    """Return a mean and its error; empty texts for what is missing."""
    return ["", ""] if own is None else [own.mean, "" if own.error is None else own.error]
