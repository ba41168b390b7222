"""Answers to whether one row is better than another, paired image by image and seed by seed."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import numpy as np

from reslag_vae.runs.differences import SEEDS, is_under, material_differences
from reslag_vae.studies.plan import Question
from reslag_vae.studies.report.finished import FinishedRun
from reslag_vae.studies.report.measures import BITS, MEASURES, USUAL, Measure
from reslag_vae.studies.report.rows import Row
from reslag_vae.studies.report.statistics import (
    EQUIVALENCE_LEVEL,
    LEVEL,
    Interval,
    bootstrap,
    over_seeds,
)

Pair = tuple[FinishedRun, FinishedRun]

# Settings that the rows of a question should share.
SHARED = ("data", "recipe", "trainer.max_epochs", "trainer.precision")


class Answer(Enum):
    """An answer to a question."""

    YES = "yes"
    NO = "no"
    NOT_RESOLVED = "not resolved"


class Comparison(NamedTuple):
    """A comparison of two rows by one measure.

    Attributes:
        measure: name of the measure.
        higher_is_better: whether a higher value is better.
        difference: the mean difference of the runs.
        images: the difference and its interval over images, which is about these trained models;
            None for a measure that no single image has, or whose values no run has kept.
        seeds: the difference and its interval over seeds, which is about the methods; None for a
            single seed.
        shared_seeds: number of seeds that both rows have.
        margin: largest difference of equivalent rows, in the unit of the measure; None asks which
            is better.
        digits: number of digits after the point of a difference.
    """

    measure: str
    higher_is_better: bool
    difference: float
    images: Interval | None
    seeds: Interval | None
    shared_seeds: int
    margin: float | None = None
    digits: int = 2

    def answer(self, interval: Interval) -> Answer:
        """Return the answer that an interval of the difference gives."""
        if self.margin is None:
            return answer(interval, self.higher_is_better)
        if interval.within(self.margin):
            return Answer.YES
        return Answer.NO if interval.beyond(self.margin) else Answer.NOT_RESOLVED

    @property
    def of_models(self) -> Answer:
        """Whether the first of these trained models is better than the second, or as good."""
        return Answer.NOT_RESOLVED if self.images is None else self.answer(self.images)

    @property
    def of_methods(self) -> Answer:
        """Whether the first method is better than the second, or as good.

        The intervals over images, where there is one, and over seeds have to agree.
        """
        if self.seeds is None:
            return Answer.NOT_RESOLVED
        by_seeds = self.answer(self.seeds)
        agree = self.images is None or by_seeds is self.of_models
        return by_seeds if agree else Answer.NOT_RESOLVED


class AnsweredQuestion(NamedTuple):
    """A question with its answer on one data set.

    Attributes:
        question: the question.
        first: the row that the question is about.
        second: the row that it is compared with.
        comparisons: comparisons by each measure that both rows have.
        setting_differences: settings that the rows should share but do not.
    """

    question: Question
    first: Row
    second: Row
    comparisons: list[Comparison]
    setting_differences: list[str]


def answer(interval: Interval, higher_is_better: bool) -> Answer:
    """Return the answer that the sign of a difference gives, if the interval excludes zero."""
    if not interval.excludes_zero:
        return Answer.NOT_RESOLVED
    return Answer.YES if (interval.difference > 0) == higher_is_better else Answer.NO


def answers(questions: list[Question], rows: list[Row]) -> list[AnsweredQuestion]:
    """Return the questions that the rows of a data set can answer."""
    by_name = {row.name: row for row in rows}
    found = []
    for question in questions:
        first, second = by_name.get(question.first), by_name.get(question.second)
        if first is None or second is None or not question.is_asked_on(first.data):
            continue
        pairs = paired_runs(first, second)
        asked = [MEASURES[name] for name in question.by or USUAL]
        measures = asked if question.margin is None else [BITS]
        compared = [compare_by(measure, pairs, question.margin) for measure in measures]
        comparisons = [own for own in compared if own is not None]
        if comparisons:
            found.append(
                AnsweredQuestion(
                    question, first, second, comparisons, setting_differences(first, second)
                )
            )
    return found


def setting_differences(first: Row, second: Row) -> list[str]:
    """Return the settings of data, recipe and length in which two rows differ.

    Their question is not about these.
    """
    found = material_differences(first.runs[0].config, second.runs[0].config)
    return [
        f"{name} {one} and {two}"
        for name, one, two in found
        if is_under(name, SHARED) and name not in SEEDS
    ]


def compare_by(
    measure: Measure, pairs: Sequence[Pair], margin: float | None = None
) -> Comparison | None:
    """Compare pairs of runs by a measure; None if a run lacks it, or has another kind of it.

    Args:
        measure: the measure.
        pairs: runs of both rows, of equal seeds.
        margin: largest difference of equivalent rows; None asks which is better.
    """
    both = [(measure.of_run(one), measure.of_run(other)) for one, other in pairs]
    differences = [one - other for one, other in both if one is not None and other is not None]
    # Also between seeds: a mean over pairs is of the same images and samples in each.
    alike = all(measure.compares(pairs[0][0], own) for pair in pairs for own in pair)
    if not pairs or len(differences) < len(pairs) or not alike:
        return None
    level = LEVEL if margin is None else EQUIVALENCE_LEVEL
    return Comparison(
        measure.name if margin is None else f"{measure.name}, to within {margin:g}",
        measure.higher_is_better,
        float(np.mean(differences)),
        over_images(measure, pairs, level),
        over_seeds(differences, level),
        len(pairs),
        margin,
        measure.digits,
    )


def over_images(measure: Measure, pairs: Sequence[Pair], level: float) -> Interval | None:
    """Return the interval of a measure's difference over images.

    It is None where no image has the measure, and where an evaluation of an earlier version has
    kept no values of images.
    """
    if measure.of_images is None:
        return None
    both = [(measure.of_images(one), measure.of_images(other)) for one, other in pairs]
    differences = [one - other for one, other in both if one is not None and other is not None]
    return (
        bootstrap(np.mean(differences, axis=0), level) if len(differences) == len(pairs) else None
    )


def interval_count(answered: list[AnsweredQuestion]) -> int:
    """Return the number of 95% intervals that are given as answers, those of several once."""
    compared = {
        (one.first.name, one.second.name, own.measure): own
        for one in answered
        for own in one.comparisons
        if own.margin is None
    }
    return sum((own.images is not None) + (own.seeds is not None) for own in compared.values())


def paired_runs(first: Row, second: Row) -> list[Pair]:
    """Return the pairs of runs of the same seed that were tested on the same images.

    Images are the same as far as their digests are known. Both runs have kept the values of each
    image.
    """
    others = {run.seed: run for run in second.runs}
    pairs = [(run, others[run.seed]) for run in first.runs if run.seed in others]
    same = [
        (one, other)
        for one, other in pairs
        if one.test_digest in (None, other.test_digest) or not other.test_digest
    ]
    return [(one, other) for one, other in same if 0 < kept_images(one) == kept_images(other)]


def kept_images(run: FinishedRun) -> int:
    """Return the number of images whose values a run has kept."""
    return len(run.per_image.get("rec", ()))
