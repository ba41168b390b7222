"""The tables of a report, as lines of text cells."""

from collections.abc import Sequence

from reslag_vae.studies.plan import TEST_SETS
from reslag_vae.studies.report.columns import THESIS_TOTAL, Column, filled_columns
from reslag_vae.studies.report.questions import AnsweredQuestion, Comparison
from reslag_vae.studies.report.rows import Row, has_term
from reslag_vae.studies.report.statistics import Estimate, Interval
from reslag_vae.studies.report.thesis import NAMES, TERMS
from reslag_vae.studies.report.thesis_comparison import ThesisComparison, compare_with_thesis

# The title of the linear limit.
PCA = "PCA, as many components"


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


def elsewhere(rows: Sequence[Row], term: str) -> list[str]:
    """Return the further test sets on which any row has a term, if that is Rec or Total."""
    names = sorted({name for row in rows for run in row.runs for name in run.elsewhere})
    return [
        name
        for name in names
        if term in ("rec", "total") and any(row.term_on(name, term) is not None for row in rows)
    ]


def head_on(test_set: str, name: str) -> str:
    """Return the head of a column of a further test set, such as `Rec on JPEG 10000`."""
    return f"{name} on {test_set.replace('_', ' ')}"


def elsewhere_note(rows: Sequence[Row]) -> str:
    """Return the sentence on the columns of further test sets; empty without any."""
    names = elsewhere(rows, "rec")
    columns = ", ".join(head_on(name, "“…") + "”" for name in names)
    folders = ", ".join(f"{TEST_SETS}/{name}" for name in names)
    return f"{columns}: the same runs on another test set, from {folders}." if names else ""


def seeds_of(row: Row) -> str:
    """Return the number of a row's runs as text."""
    return str(len(row.runs))


def thesis_table(rows: Sequence[Row]) -> list[list[str]]:
    """Return the table of the thesis' terms, printed and measured; the first line is the head."""
    terms = terms_of(rows)
    printed = any(row.printed for row in rows)
    head = ["", "seeds"]
    for term in terms:
        head += [f"{NAMES[term]}, thesis", NAMES[term]] if printed else [NAMES[term]]
        head += [head_on(name, NAMES[term]) for name in elsewhere(rows, term)]
    lines = [head]
    for row in rows:
        cells = [row.title, seeds_of(row)]
        for term in terms:
            pair = compare_with_thesis(row, term)
            if printed:
                cells.append(
                    "-" if pair.printed is None else rounded(pair.printed, digits_of(term))
                )
            mark = "" if pair.is_of_another_variance else mark_of(pair)
            cells.append(text_of(pair.ours, digits_of(term)) + mark)
            cells += [
                text_of(row.term_on(name, term), digits_of(term)) for name in elsewhere(rows, term)
            ]
        lines.append(cells)
    if any(row.total_at_thesis_sigma2 for row in rows):
        names = elsewhere(rows, "total")
        lines[0] += [THESIS_TOTAL.name, *(head_on(name, "the same") for name in names)]
        for line, row in zip(lines[1:], rows, strict=True):
            pair = compare_with_thesis(row, "total")
            mark = mark_of(pair) if pair.is_of_another_variance else ""
            line.append(text_of(row.total_at_thesis_sigma2, THESIS_TOTAL.digits) + mark)
            found = map(row.total_at_thesis_sigma2_on, names)
            line += [text_of(own, THESIS_TOTAL.digits) for own in found]
    return lines


def mark_of(pair: ThesisComparison) -> str:
    """Return the verdict on a term as it stands behind a number."""
    return f" ({pair.verdict})" if pair.verdict in ("better", "worse", "within") else ""


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
    if pca is not None and any(column.name == "Rec" for column in own):
        cells = [rounded(pca, column.digits) if column.name == "Rec" else "-" for column in own]
        lines.append([PCA, *cells])
    return lines


def rows_with(rows: Sequence[Row], columns: Sequence[Column]) -> list[Row]:
    """Return the rows that have a number in any of the columns."""
    return [row for row in rows if any(column.value(row) is not None for column in columns)]


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
    return [
        f"{comparison.measure}{direction(comparison)}",
        signed(comparison.difference, comparison),
        over_images(comparison),
        over_seeds(comparison),
        "-" if comparison.images is None else comparison.of_models.value,
        comparison.of_methods.value,
    ]


def over_images(comparison: Comparison) -> str:
    """Return the interval of a difference over images as text; a dash where there is none."""
    if comparison.images is None:
        return "-"
    return interval_text(comparison.images, comparison) + level_of(comparison)


def over_seeds(comparison: Comparison) -> str:
    """Return the interval of a difference over seeds as text, such as `-0.2 to -0.1 (3 seeds)`."""
    if comparison.seeds is None:
        return "one seed"
    interval = interval_text(comparison.seeds, comparison)
    return f"{interval} ({comparison.shared_seeds} seeds){level_of(comparison)}"


def interval_text(interval: Interval, comparison: Comparison) -> str:
    """Return the ends of an interval as text, such as `-0.20 to +0.10`."""
    return f"{signed(interval.low, comparison)} to {signed(interval.high, comparison)}"


def signed(value: float, comparison: Comparison) -> str:
    """Return a difference with its sign."""
    return f"{value:+,.{comparison.digits}f}"


def level_of(comparison: Comparison) -> str:
    """Return the level of the intervals of a question of equivalence; empty for the usual 95%."""
    return "" if comparison.margin is None else ", 90%"


def direction(comparison: Comparison) -> str:
    """Return which way is better, in brackets; empty for a question of equivalence."""
    if comparison.margin is not None:
        return ""
    return f" ({'higher' if comparison.higher_is_better else 'lower'} is better)"
