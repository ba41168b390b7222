"""The rows of a study beside the cells of the thesis' Table 1."""

from collections.abc import Sequence
from typing import NamedTuple

from reslag_vae.studies.report.rows import Row
from reslag_vae.studies.report.statistics import Estimate
from reslag_vae.studies.report.thesis import NAMES

# Terms of which less is better.
LESS_IS_BETTER = ("rec", "mmd", "total")


class ThesisComparison(NamedTuple):
    """A term of a row beside the number that the thesis prints.

    Attributes:
        ours: estimate over the row's seeds; None if there is none.
        printed: number that the thesis prints; None if it prints none.
        verdict: `better` or `worse`; `within` the spread of one more run; `one seed`, which has no
            spread; empty if the two do not compare.
        reached: whether the term is at or below the thesis' number, or within that spread; None if
            there is none, or less of it is not better.
    """

    ours: Estimate | None
    printed: float | None
    verdict: str
    reached: bool | None = None

    @property
    def difference(self) -> float | None:
        """The mean over seeds less the thesis' number."""
        return None if self.ours is None or self.printed is None else self.ours.mean - self.printed


def compare_with_thesis(row: Row, term: str) -> ThesisComparison:
    """Compare a term of a row with that of the thesis.

    The thesis ran each cell once, so the question is whether one more run of the row could have
    given its number: the difference has to exceed the 95% prediction interval for one more run. The
    Total of a sigma_data row is that at the thesis' own variance.
    """
    ours, printed = row.term(term), row.printed.get(term)
    if ours is None or printed is None or term not in LESS_IS_BETTER:
        return ThesisComparison(ours, printed, "")
    compared = (row.total_at_thesis_sigma2 if term == "total" else None) or ours
    is_less = compared.mean <= printed
    if compared.spread_of_one is None:
        verdict = "one seed"
    elif abs(compared.mean - printed) <= compared.spread_of_one:
        verdict = "within"
    else:
        verdict = "better" if is_less else "worse"
    reached = is_less or verdict == "within"
    return ThesisComparison(ours, printed, "" if row.caveats else verdict, reached)


def count_of_cells(rows: Sequence[Row]) -> str:
    """Return the sentence that counts the cells of Table 1 that are reached; empty without any."""
    cells = [
        (f"{NAMES[term]} of {row.title}", compare_with_thesis(row, term).reached)
        for row in rows
        for term in LESS_IS_BETTER
    ]
    missed = [cell for cell, reached in cells if reached is False]
    count = sum(reached is not None for _, reached in cells)
    if not count:
        return ""
    but = f" Not reached: {'; '.join(missed)}." if missed else ""
    return (
        f"Of {count} cells of Table 1 in which less is better (Rec, MMD, Total), "
        f"{count - len(missed)} are at or below the thesis' number, or above it by no more than "
        f"one more run may be.{but}"
    )
