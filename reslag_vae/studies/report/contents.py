"""The contents of a report, independent of its formats."""

from pathlib import Path
from typing import NamedTuple

from reslag_vae.runs.errors import RunError
from reslag_vae.runs.formats import MOST_BYTES, read_bytes
from reslag_vae.studies.plan import Plan, planned, results_of
from reslag_vae.studies.report.finished import DEPENDS, FinishedRun, read_finished_runs
from reslag_vae.studies.report.grouping import rows_of
from reslag_vae.studies.report.missing import MissingRuns, missing_runs
from reslag_vae.studies.report.questions import AnsweredQuestion, answers, interval_count
from reslag_vae.studies.report.rows import Row
from reslag_vae.studies.report.thesis import title_of


class Chapter(NamedTuple):
    """The results on one data set.

    Attributes:
        data: name of the data set.
        title: title of the data set.
        rows: the rows, in the order of the thesis.
        answered: questions that can be answered on this data set.
        unanswered: questions of the study that cannot be answered yet, because runs or their values
            by image are missing.
        pca: Rec of as many principal components as the codes have numbers; None if no run was
            evaluated.
        images: number of images by split.
    """

    data: str
    title: str
    rows: list[Row]
    answered: list[AnsweredQuestion]
    unanswered: list[str]
    pca: float | None
    images: dict[str, int]

    @property
    def caveats(self) -> list[str]:
        """The ways in which the runs differ from those of the thesis."""
        return list(dict.fromkeys(caveat for row in self.rows for caveat in row.caveats))


class Contents(NamedTuple):
    """The contents of a report.

    Attributes:
        name: name of the study.
        question: the first paragraph of the study's README; empty without one.
        chapters: the chapters, one for each data set.
        missing: the requested runs that are not finished.
        runs: the finished runs.
    """

    name: str
    question: str
    chapters: list[Chapter]
    missing: list[MissingRuns]
    runs: list[FinishedRun]

    @property
    def seeds(self) -> list[int]:
        """The seeds of all runs, in order."""
        return sorted({run.seed for run in self.runs})

    @property
    def reading_notes(self) -> list[str]:
        """Sentences that say how to read the numbers."""
        count = sum(interval_count(chapter.answered) for chapter in self.chapters)
        notes = [
            "The thesis chooses the best epoch by its validation split and reports on that; here "
            "the validation split chooses it and the numbers are those of a test split that "
            "training never saw.",
        ]
        if any(row.total_at_thesis_sigma2 for chapter in self.chapters for row in chapter.rows):
            notes.append(
                "A Total under sigma_data moves with the variance of the pixels: beside ours "
                "stands that with the variance that solves the thesis' own row, and only that one "
                "compares with the thesis'."
            )
        unlike = [
            f"{row.title} on {chapter.title}"
            for chapter in self.chapters
            for row in chapter.rows
            if not all(map(row.evaluated_alike, ("", *DEPENDS)))
        ]
        if unlike:
            notes.append(
                "Seeds that were evaluated with different settings, so that numbers of their "
                f"evaluations have no mean and are left out: {'; '.join(unlike)}."
            )
        if count:
            notes.append(
                f"The answers rest on {count} intervals at 95%, none of them corrected for their "
                f"number: were all differences zero, about {count / 20:.1f} would exclude it."
            )
        return notes

    @property
    def made_by(self) -> list[str]:
        """Commits, devices, precisions and versions of the runs, each once."""
        found = [run.result for run in self.runs]
        facts = {
            "commit": {short_commit(str(result.get("commit"))) for result in found},
            "device": {str(result.get("device")) for result in found},
            "precision": {str(result.get("precision")) for result in found},
            "PyTorch": {str(result.get("versions", {}).get("torch")) for result in found},
        }
        return [f"{name} {', '.join(sorted(values))}" for name, values in facts.items()]


def short_commit(commit: str) -> str:
    """Return the first ten characters of a commit, and its suffix if the code differed."""
    name, *dirty = commit.split("-")
    return "-".join([name[:10], *dirty])


def contents_of(study: Path) -> Contents:
    """Return the contents of the report on a study's folder.

    Raises:
        RunError: the study has no finished run, or a file is damaged.
    """
    runs = read_finished_runs(study)
    plan = planned(results_of(study))
    chapters = [build_chapter(data, rows, plan) for data, rows in rows_of(runs).items()]
    missing = missing_runs(study, plan.jobs, runs)
    return Contents(study.resolve().name, question_of(study), chapters, missing, runs)


def build_chapter(data: str, rows: list[Row], plan: Plan) -> Chapter:
    """Return the chapter on a data set."""
    runs = [run for row in rows for run in row.runs]
    limits = [run.evaluation_value("reconstruction", "pca_rec") for run in runs]
    pca = next(filter(None, limits), None)
    images = rows[0].runs[0].result["images"]
    answered = answers(plan.questions, rows)
    # A data set has a folder of its name, but for versions such as those of a binarisation.
    folders = {run.folder.parts[-3] for run in runs}
    asked = {job.row for job in plan.jobs if job.data in folders}
    done = [own.question for own in answered]
    unanswered = [
        question.text
        for question in plan.questions
        if {question.first, question.second} <= asked
        and question.is_asked_on(data)
        and question not in done
    ]
    return Chapter(data, title_of(data), rows, answered, unanswered, pca, images)


def question_of(study: Path) -> str:
    """Return the first paragraph below the title of the study's README, without markup."""
    try:
        paragraphs = read_bytes(study / "README.md", MOST_BYTES).decode("utf-8").split("\n\n")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise RunError(f"{study / 'README.md'} cannot be read: {error}") from None
    plain = [
        " ".join(paragraph.split()) for paragraph in paragraphs if not paragraph.startswith("#")
    ]
    return plain[0].replace("**", "").replace("`", "") if plain else ""
