"""Is one row better than another? Paired image by image, and seed by seed."""

import math
from enum import Enum
from typing import NamedTuple

import numpy as np

from reslag_vae.likelihoods.gaussian import gaussian_elbo
from reslag_vae.runs.differences import SEEDS, material_differences, under
from reslag_vae.studies.plan import Question
from reslag_vae.studies.report.finished import Finished
from reslag_vae.studies.report.rows import Row
from reslag_vae.studies.report.statistics import EQUIVALENCE_LEVEL, Interval, bootstrap, over_seeds

# What the rows of a question should share.
SHARED = ("data", "recipe", "trainer.max_epochs", "trainer.precision")


class Answer(Enum):
    """To a question."""

    YES = "yes"
    NO = "no"
    NOT_RESOLVED = "not resolved"


class Comparison(NamedTuple):
    """Two rows by one measure.

    Attributes:
        measure: what is compared.
        higher_is_better: its direction.
        images: the difference, and its interval over images: of these trained models.
        seeds: the difference, and its interval over seeds: of the methods; None of a single seed.
        shared_seeds: number of seeds that both rows have.
        margin: within which both are equivalent, in the unit of the measure; None asks which is
            better.
    """

    measure: str
    higher_is_better: bool
    images: Interval
    seeds: Interval | None
    shared_seeds: int
    margin: float | None = None

    def answer(self, interval: Interval) -> Answer:
        """By an interval of the difference."""
        if self.margin is None:
            return answer(interval, self.higher_is_better)
        if interval.within(self.margin):
            return Answer.YES
        return Answer.NO if interval.beyond(self.margin) else Answer.NOT_RESOLVED

    @property
    def of_models(self) -> Answer:
        """Whether the first of these trained models is better than the second, or as good as it."""
        return self.answer(self.images)

    @property
    def of_methods(self) -> Answer:
        """Whether the first method is better than the second, or as good: both intervals have to say so."""
        if self.seeds is None:
            return Answer.NOT_RESOLVED
        by_seeds = self.answer(self.seeds)
        return by_seeds if by_seeds is self.of_models else Answer.NOT_RESOLVED


class Answered(NamedTuple):
    """A question, answered on one data set.

    Attributes:
        question: that was asked.
        first: the row that it asks about.
        second: the row that it is compared with.
        comparisons: by each measure that both have.
        unlike: settings that both should share and do not.
    """

    question: Question
    first: Row
    second: Row
    comparisons: list[Comparison]
    unlike: list[str]


def answer(interval: Interval, higher_is_better: bool) -> Answer:
    """By the sign of a difference, if it has one."""
    if not interval.excludes_zero:
        return Answer.NOT_RESOLVED
    return Answer.YES if (interval.difference > 0) == higher_is_better else Answer.NO


def answers(questions: list[Question], rows: list[Row]) -> list[Answered]:
    """The questions that the rows of a data set can answer."""
    by_name = {row.name: row for row in rows}
    found = []
    for question in questions:
        first, second = by_name.get(question.first), by_name.get(question.second)
        if (
            first is None
            or second is None
            or (question.data is not None and first.data not in question.data)
        ):
            continue
        comparisons = (
            compare(first, second)
            if question.margin is None
            else equivalent(first, second, question.margin)
        )
        if comparisons:
            found.append(Answered(question, first, second, comparisons, unlike(first, second)))
    return found


def unlike(first: Row, second: Row) -> list[str]:
    """Settings of data, recipe and length in which two rows differ: not what their question is about."""
    found = material_differences(first.runs[0].config, second.runs[0].config)
    return [
        f"{name} {one} and {two}"
        for name, one, two in found
        if under(name, SHARED) and name not in SEEDS
    ]


def compare(first: Row, second: Row) -> list[Comparison]:
    """By the ELBO of the common yardstick and by Rec, where both rows have them."""
    pairs = paired(first, second)
    measures = (("ELBO, yardstick", True, yardstick), ("Rec", False, rec))
    found = []
    for measure, higher_is_better, values in measures:
        both = [(values(one), values(other)) for one, other in pairs]
        differences = [one - other for one, other in both if one is not None and other is not None]
        if pairs and len(differences) == len(pairs):
            by_image = bootstrap(np.mean(differences, axis=0))
            by_seed = over_seeds([float(own.mean()) for own in differences])
            found.append(Comparison(measure, higher_is_better, by_image, by_seed, len(pairs)))
    return found


def equivalent(first: Row, second: Row, margin: float) -> list[Comparison]:
    """By the bits/dim of the yardstick, where both rows have it: do they differ by less than a margin of these?"""
    pairs = paired(first, second)
    both = [(yardstick(one), yardstick(other), one.dimensions) for one, other in pairs]
    bits = [
        (other - one) / (size * math.log(2))
        for one, other, size in both
        if one is not None and other is not None
    ]
    if not bits or len(bits) < len(pairs):
        return []
    by_image = bootstrap(np.mean(bits, axis=0), EQUIVALENCE_LEVEL)
    by_seed = over_seeds([float(own.mean()) for own in bits], EQUIVALENCE_LEVEL)
    return [
        Comparison(f"bits/dim, to within {margin:g}", False, by_image, by_seed, len(pairs), margin)
    ]


def intervals(answered: list[Answered]) -> int:
    """How many 95% intervals are given as answers."""
    compared = [own for one in answered for own in one.comparisons if own.margin is None]
    return sum(1 + (own.seeds is not None) for own in compared)


def paired(first: Row, second: Row) -> list[tuple[Finished, Finished]]:
    """Runs of the same seed that were tested on the same images, as far as it is known, and kept the values of each."""
    others = {run.seed: run for run in second.runs}
    pairs = [(run, others[run.seed]) for run in first.runs if run.seed in others]
    same = [
        (one, other)
        for one, other in pairs
        if one.test_digest in (None, other.test_digest) or not other.test_digest
    ]
    return [(one, other) for one, other in same if 0 < tested(one) == tested(other)]


def tested(run: Finished) -> int:
    """Number of images whose values were kept."""
    return len(run.per_image.get("rec", ()))


def rec(run: Finished) -> np.ndarray:
    """(N,) sum of squared errors of each image."""
    return np.asarray(run.per_image["rec"], dtype=np.float64)


def yardstick(run: Finished) -> np.ndarray | None:
    """(N,) ELBO of each image with the run's one global variance; None where the posterior has no density."""
    if "kl" not in run.per_image:
        return None
    sigma2 = float(run.result["yardstick_sigma2"])
    constant = gaussian_elbo(0.0, 0.0, sigma2, run.dimensions)
    return np.asarray(constant - rec(run) / (2 * sigma2) - run.per_image["kl"])
