"""The rows of a study beside the cells of the thesis' Table 1."""

from collections.abc import Sequence
from typing import NamedTuple

from reslag_vae.studies.report.rows import Row
from reslag_vae.studies.report.statistics import Estimate
from reslag_vae.studies.report.thesis import NAMES

# Terms of which less is better.
LESS_IS_BETTER = ("rec", "mmd", "total")

# Where a cell of the table may lie.
REACHED = ("below", "within", "missed")


class ThesisComparison(NamedTuple):
    """A term of a row beside the number that the thesis prints.

    Attributes:
        ours: estimate over the row's seeds; None if there is none.
        printed: number that the thesis prints; None if it prints none.
        verdict: `better` or `worse`; `within` the spread of one more run; `one seed`, which has no
            spread; empty if the two do not compare.
        compared: the estimate that the verdict is of: the row's own, of a Total under `sigma_data`
            that at the thesis' own variance.
        reached: `below` where that is at or below the thesis' number, `within` where it is above by
            no more than that spread, else `missed`; empty if there is none, or less of it is not
            better.
    """

    ours: Estimate | None
    printed: float | None
    verdict: str
    compared: Estimate | None = None
    reached: str = ""

    @property
    def is_of_another_variance(self) -> bool:
        """Whether the verdict is not of the row's own number."""
        return self.compared is not None and self.compared is not self.ours

    @property
    def difference(self) -> float | None:
        """The mean over seeds of what is compared less the thesis' number."""
        own = self.compared or self.ours
        return None if own is None or self.printed is None else own.mean - self.printed


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
    reached = "below" if is_less else "within" if verdict == "within" else "missed"
    return ThesisComparison(ours, printed, "" if row.caveats else verdict, compared, reached)


def count_of_cells(rows: Sequence[Row]) -> str:
    """Return the sentence that counts the cells of Table 1 that are reached; empty without any."""
    cells = [
        (f"{NAMES[term]} of {row.title}", compare_with_thesis(row, term).reached)
        for row in rows
        for term in LESS_IS_BETTER
    ]
    by = {own: [cell for cell, reached in cells if reached == own] for own in REACHED}
    count = sum(map(len, by.values()))
    if not count:
        return ""
    text = (
        f"Of {count} cells of Table 1 in which less is better (Rec, MMD, Total), "
        f"{len(by['below'])} are at or below the thesis' number."
    )
    if by["within"]:
        text += f" Above it by no more than one more run may be: {'; '.join(by['within'])}."
    if by["missed"]:
        text += f" Not reached: {'; '.join(by['missed'])}."
    return text
