"""What a report says, before it is written in one way or another."""

from pathlib import Path
from typing import NamedTuple

from reslag_vae.runs.folder import MOST_BYTES, RunError, read_bytes
from reslag_vae.studies.grid import Job
from reslag_vae.studies.plan import STUDY_FILE, Plan, read_plan, results_of
from reslag_vae.studies.report.finished import Finished, read_finished
from reslag_vae.studies.report.questions import Answered, answers, intervals
from reslag_vae.studies.report.rows import Row, rows_of
from reslag_vae.studies.report.thesis import title_of
from reslag_vae.studies.states import State
from reslag_vae.studies.status import standings


class Chapter(NamedTuple):
    """Of a data set.

    Attributes:
        data: its name.
        title: as people write it.
        rows: in the order of the thesis.
        answered: the questions that can be answered on it.
        unanswered: those of the study that cannot yet, for want of runs or of their values by
            image.
        pca: Rec of as many principal components as the codes have numbers; None if no run was
            evaluated.
        images: number of images by split.
    """

    data: str
    title: str
    rows: list[Row]
    answered: list[Answered]
    unanswered: list[str]
    pca: float | None
    images: dict[str, int]

    @property
    def caveats(self) -> list[str]:
        """In what its runs differ from the thesis'."""
        return list(dict.fromkeys(caveat for row in self.rows for caveat in row.caveats))


class Contents(NamedTuple):
    """Of a report.

    Attributes:
        name: of the study.
        question: the first paragraph of its README; empty without one.
        chapters: by data set.
        missing: runs that the study was asked for and that are not finished, with their states.
        runs: that are finished.
    """

    name: str
    question: str
    chapters: list[Chapter]
    missing: dict[str, str]
    runs: list[Finished]

    @property
    def seeds(self) -> list[int]:
        """Of all runs."""
        return sorted({run.seed for run in self.runs})

    @property
    def how(self) -> list[str]:
        """How its numbers are to be read, in sentences."""
        count = sum(intervals(chapter.answered) for chapter in self.chapters)
        notes = [
            "The thesis chooses the best epoch by its validation split and reports on that; here the validation split "
            "chooses it and the numbers are those of a test split that training never saw.",
        ]
        if any(row.total_at_thesis_sigma2 for chapter in self.chapters for row in chapter.rows):
            notes.append(
                "A Total under sigma_data moves with the variance of the pixels: beside ours stands that with the "
                "variance that solves the thesis' own row, and only that one compares with the thesis'."
            )
        if count:
            notes.append(
                f"The answers rest on {count} intervals at 95%, none of them corrected for their number: were all "
                f"differences zero, about {count / 20:.0f} would exclude it."
            )
        return notes

    @property
    def made_by(self) -> list[str]:
        """Commits, devices, precisions and versions of the runs, each once."""
        found = [run.result for run in self.runs]
        facts = {
            "commit": {short(str(result.get("commit"))) for result in found},
            "device": {str(result.get("device")) for result in found},
            "precision": {str(result.get("precision")) for result in found},
            "PyTorch": {str(result.get("versions", {}).get("torch")) for result in found},
        }
        return [f"{name} {', '.join(sorted(values))}" for name, values in facts.items()]


def short(commit: str) -> str:
    """The first ten letters of a commit, and whether the code differed from it."""
    name, *dirty = commit.split("-")
    return "-".join([name[:10], *dirty])


def contents_of(study: Path) -> Contents:
    """Of the report on a study's folder.

    Raises:
        RunError: it has no finished run, or a file is damaged.
    """
    runs = read_finished(study)
    plan = plan_of(study)
    chapters = [chapter(data, rows, plan) for data, rows in rows_of(runs).items()]
    return Contents(
        study.resolve().name, question_of(study), chapters, missing(study, plan.jobs), runs
    )


def plan_of(study: Path) -> Plan:
    """The study's plan; an empty one if there are results without a plan."""
    results = results_of(study)
    return read_plan(results) if (results / STUDY_FILE).exists() else Plan([], [])


def chapter(data: str, rows: list[Row], plan: Plan) -> Chapter:
    """On a data set."""
    pca = [
        value
        for row in rows
        for run in row.runs
        if (value := run.evaluated("reconstruction", "pca_rec"))
    ]
    images = rows[0].runs[0].result["images"]
    answered = answers(plan.questions, rows)
    asked = {job.row for job in plan.jobs if job.data == data}
    unanswered = [
        question.text
        for question in plan.questions
        if {question.first, question.second} <= asked
        and question not in [own.question for own in answered]
    ]
    return Chapter(
        data, title_of(data), rows, answered, unanswered, pca[0] if pca else None, images
    )


def missing(study: Path, jobs: list[Job]) -> dict[str, str]:
    """By folder, what became of the runs that are not finished."""
    found = standings(results_of(study), jobs)
    return {
        job.folder: ": ".join(filter(None, (own.state.value, own.reason)))
        for job, own in found.items()
        if own.state is not State.FINISHED
    }


def question_of(study: Path) -> str:
    """The first paragraph under the title of the study's README, without its marks."""
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
