"""study.json: the runs that a study has been asked for, and the questions that it is to answer."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from reslag_vae.runs import RunError, write_json
from reslag_vae.study.grid import Job

STUDY_FILE = "study.json"
RESULTS = "results"


class Question(NamedTuple):
    """Is one row better than another?

    Attributes:
        text: the question, as the report asks it.
        first: the row that is asked about.
        second: the row that it is compared with.
        data: the data sets on which it is asked; None for all.
    """

    text: str
    first: str
    second: str
    data: tuple[str, ...] | None = None


class Plan(NamedTuple):
    """What a study is to do.

    Attributes:
        jobs: its runs.
        questions: that it is to answer.
    """

    jobs: list[Job]
    questions: list[Question]


def question(node: dict[str, Any]) -> Question:
    """From a configuration.

    Raises:
        ValueError: it lacks a part, or has one too many.
    """
    try:
        data = node.get("data")
        read = Question(**node | {"data": None if data is None else tuple(data)})
    except TypeError as error:
        raise ValueError(f"a question of a study has text, first, second and data: {error}") from None
    return read


def read_plan(folder: Path) -> Plan:
    """The plan in a study's folder of results.

    Raises:
        RunError: it is not there, or damaged.
    """
    path = folder / STUDY_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        jobs = [Job(job["folder"], tuple(job["overrides"])) for job in content["jobs"]]
        return Plan(jobs, [question(node) for node in content["questions"]])
    except FileNotFoundError:
        raise RunError(f"{path} is not there: no run of this study has been started.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path} is damaged: {error}") from None


def add_to_plan(folder: Path, jobs: Sequence[Job], questions: Sequence[Question]) -> Plan:
    """Write the plan with these runs added to those of earlier starts, and these questions in place of theirs."""
    earlier = read_plan(folder).jobs if (folder / STUDY_FILE).exists() else []
    united = list({job.folder: job for job in [*earlier, *jobs]}.values())
    plan = Plan(united, list(questions))
    write_json(
        folder / STUDY_FILE,
        {"jobs": [job._asdict() for job in plan.jobs], "questions": [asked._asdict() for asked in plan.questions]},
    )
    return plan
