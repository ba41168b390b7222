"""Tables of a study, for a README, a paper, and a program."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from reslag_vae._runtime.escape import markdown
from reslag_vae.studies.report.finished import Finished
from reslag_vae.studies.report.questions import Answered, Comparison
from reslag_vae.studies.report.rows import Row, has, number
from reslag_vae.studies.report.statistics import Estimate
from reslag_vae.studies.report.thesis import TERMS

NAMES = {"rec": "Rec", "lat": "Lat", "mmd": "MMD", "total": "Total"}

# The title of the linear limit.
PCA = "PCA, as many components"

# Terms of which less is better.
LESS_IS_BETTER = ("rec", "mmd", "total")


class Against(NamedTuple):
    """A number of ours beside the thesis'.

    Attributes:
        ours: over our seeds; None where there is none.
        printed: by the thesis; None where it did not.
        verdict: `better`, `worse`, `within` what one more run may do, `one seed` that says nothing
            of that, or nothing where the two do not compare.
    """

    ours: Estimate | None
    printed: float | None
    verdict: str

    @property
    def difference(self) -> float | None:
        """Ours less the thesis'."""
        return None if self.ours is None or self.printed is None else self.ours.mean - self.printed


def against(row: Row, term: str) -> Against:
    """A term of a row beside that of the thesis.

    The thesis ran each cell once, so that the question is whether one more run of ours could have
    given its number: the difference has to exceed the 95% prediction interval for that. The Total
    of a sigma_data row is that at the thesis' own variance.
    """
    ours, printed = row.term(term), row.printed.get(term)
    if ours is None or printed is None or row.caveats or term not in LESS_IS_BETTER:
        return Against(ours, printed, "")
    compared = (row.total_at_thesis_sigma2 if term == "total" else None) or ours
    if compared.spread_of_one is None:
        return Against(ours, printed, "one seed")
    if abs(compared.mean - printed) <= compared.spread_of_one:
        return Against(ours, printed, "within")
    return Against(ours, printed, "better" if compared.mean < printed else "worse")


class Column(NamedTuple):
    """A number beside the thesis' four.

    Attributes:
        key: its name in the CSV file.
        name: heading.
        value: of a row; None where it has none.
        digits: after the point, or significant ones if negative.
        best: `max` or `min` is the better of several rows; nothing if neither.
    """

    key: str
    name: str
    value: Callable[[Row], Estimate | None]
    digits: int
    best: str = ""


def evaluated(group: str, name: str) -> Callable[[Row], Estimate | None]:
    """A number of evaluation.json."""
    return lambda row: row.estimate(lambda run: run.evaluated(group, name))


def of_result(*path: str) -> Callable[[Row], Estimate | None]:
    """A number of metrics.json."""

    def value(run: Finished) -> float | None:
        node: object = run.result
        for key in path:
            node = node.get(key) if isinstance(node, dict) else None
        return number(node)

    return lambda row: row.estimate(value)


THESIS_TOTAL = Column(
    "total_at_thesis_sigma2", "Total at the thesis' s2", lambda row: row.total_at_thesis_sigma2, 2
)

YARDSTICK = (
    Column("elbo", "ELBO, yardstick", of_result("test", "elbo"), 1, "max"),
    Column("bits_per_dim", "bits/dim of it", of_result("test", "bits_per_dim"), 3, "min"),
    Column("rec", "Rec", of_result("test", "rec"), 2, "min"),
    Column("kl", "KL, nats", of_result("test", "kl"), 2),
    Column("active_units", "active units", of_result("test", "active_units"), 1),
    Column("sigma2", "sigma2", of_result("test", "sigma2"), -3),
    Column(
        "importance_weighted_bound",
        "IW bound, own sigma2",
        evaluated("likelihood", "importance_weighted_bound"),
        1,
        "max",
    ),
    Column("ssim", "SSIM", evaluated("reconstruction", "ssim"), 3, "max"),
    Column("nearest_neighbours", "k-NN", evaluated("classes", "nearest_neighbours"), 3, "max"),
    Column(
        "frechet_prior",
        "classifier Fréchet, prior",
        evaluated("samples", "classifier_frechet_prior"),
        2,
        "min",
    ),
    Column(
        "frechet_mixture",
        "of a mixture",
        evaluated("samples", "classifier_frechet_mixture"),
        2,
        "min",
    ),
)

COST = (
    Column("parameters", "parameters", of_result("parameters", "total"), 0),
    Column("epoch", "best epoch", of_result("epoch"), 0),
    Column("epochs_run", "epochs", of_result("epochs_run"), 0),
    Column("aggressive_epochs", "aggressive", of_result("aggressive_epochs"), 0),
    Column("seconds", "seconds of training", of_result("seconds"), 0),
    Column("images_per_second", "images/s", of_result("images_per_second"), 0),
)


def shown(rows: Sequence[Row], columns: Sequence[Column]) -> list[Column]:
    """The columns that any row has a number in."""
    return [column for column in columns if any(column.value(row) is not None for row in rows)]


def best(rows: Sequence[Row], column: Column) -> float | None:
    """The best of the rows' numbers; None where there is nothing to be best at."""
    found = [own.mean for row in rows if (own := column.value(row)) is not None]
    if not column.best or len(found) < 2:
        return None
    return max(found) if column.best == "max" else min(found)


def text_of(own: Estimate | None, digits: int) -> str:
    """`10.00 ± 0.04`, or a dash."""
    if own is None:
        return "-"
    value = rounded(own.mean, digits)
    if not own.error:
        return value
    error = rounded(own.error, digits)
    # An error that would be rounded to nothing has one digit of its own.
    return f"{value} ± {error if float(error.replace(',', '')) else f'{own.error:.1g}'}"


def rounded(value: float, digits: int) -> str:
    """With so many digits after the point, or so many significant ones if negative."""
    return f"{value:,.{digits}f}" if digits >= 0 else f"{value:.{-digits}g}"


def digits_of(term: str) -> int:
    """Digits after the point of a term."""
    return 4 if term == "mmd" else 2


def terms_of(rows: Sequence[Row]) -> list[str]:
    """The terms that any of the rows has."""
    return [term for term in TERMS if has(rows, term)]


def seeds_of(row: Row) -> str:
    """Number of runs."""
    return str(len(row.runs))


def thesis_table(rows: Sequence[Row]) -> list[list[str]]:
    """The thesis' terms beside ours, the head first."""
    terms = terms_of(rows)
    printed = any(row.printed for row in rows)
    head = ["", "seeds"] + [
        text for term in terms for text in ([f"{NAMES[term]}, thesis"] * printed + [NAMES[term]])
    ]
    lines = [head]
    for row in rows:
        cells = [row.title, seeds_of(row)]
        for term in terms:
            pair = against(row, term)
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
    """Columns of numbers, the head first and the linear limit last.

    Args:
        rows: of a data set.
        columns: those that no row has a number in are left out.
        pca: Rec of as many principal components as codes have numbers; None leaves that line out.
    """
    own = shown(rows, columns)
    lines = [["", *(column.name for column in own)]]
    lines += [
        [row.title, *(text_of(column.value(row), column.digits) for column in own)] for row in rows
    ]
    if pca is not None:
        lines.append(
            [PCA, *(rounded(pca, column.digits) if column.name == "Rec" else "-" for column in own)]
        )
    return lines


def answer_table(answered: Sequence[Answered]) -> list[list[str]]:
    """Questions and answers, the head first."""
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
    """What a line of answers says beside its question."""
    seeds, images = comparison.seeds, comparison.images
    digits, level = (2, "") if comparison.margin is None else (4, ", 90%")
    return [
        f"{comparison.measure}{direction(comparison)}",
        f"{images.difference:+,.{digits}f}",
        f"{images.low:+,.{digits}f} to {images.high:+,.{digits}f}{level}",
        "one seed"
        if seeds is None
        else f"{seeds.low:+,.{digits}f} to {seeds.high:+,.{digits}f} ({comparison.shared_seeds} seeds){level}",
        comparison.of_models.value,
        comparison.of_methods.value,
    ]


def direction(comparison: Comparison) -> str:
    """Which way is better, where that is asked."""
    if comparison.margin is not None:
        return ""
    return f" ({'higher' if comparison.higher_is_better else 'lower'} is better)"


def markdown_table(lines: Sequence[Sequence[str]]) -> str:
    """A table of Markdown; all columns but the first are numbers."""
    head, *body = (
        [markdown(line[0]), *(cell.replace("|", r"\|") for cell in line[1:])] for line in lines
    )
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *body]) + "\n"


def as_csv(rows: Mapping[str, Sequence[Row]]) -> str:
    """A line for each row: every number, its standard error over seeds, and what the thesis printed."""
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
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def pair_of(own: Estimate | None) -> list[object]:
    """A mean and its error, empty where there is none."""
    return ["", ""] if own is None else [own.mean, "" if own.error is None else own.error]
