"""study.json: the runs that a study has been asked for, and the questions that it is to answer."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from reslag_vae.errors import ConfigError
from reslag_vae.occupancy import occupied
from reslag_vae.runs import RunError, write_json
from reslag_vae.study.grid import Job

STUDY_FILE = "study.json"
RESULTS = "results"

# Seconds for which another start of the study may hold study.json.
WAIT = 30.0


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
        ConfigError: it lacks a part, or has one too many.
    """
    if not isinstance(node, dict) or not {"text", "first", "second"} <= node.keys() <= set(Question._fields):
        raise ConfigError(f"A question of a study has text, first, second and perhaps data, and this one is {node}.")
    data = node.get("data")
    return Question(node["text"], node["first"], node["second"], None if data is None else tuple(data))


def check_questions(questions: Sequence[Question], jobs: Sequence[Job]) -> None:
    """See to it that every question is about rows of the study.

    Args:
        questions: of the study.
        jobs: all its runs, whichever are asked for.

    Raises:
        ConfigError: one is not.
    """
    rows = {job.row for job in jobs}
    for asked in questions:
        for row in (asked.first, asked.second):
            if row not in rows:
                raise ConfigError(f"“{asked.text}” is about {row}; this study has {', '.join(sorted(rows))}.")


def results_of(study: Path) -> Path:
    """The folder of a study's results: `results` in it, or itself."""
    return study / RESULTS if (study / RESULTS).is_dir() else study


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
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged: {error}") from None


def add_to_plan(folder: Path, jobs: Sequence[Job], questions: Sequence[Question]) -> Plan:
    """Write the plan with these runs added to those of earlier starts, and these questions in place of theirs."""
    with occupied(folder, WAIT):
        earlier = read_plan(folder).jobs if (folder / STUDY_FILE).exists() else []
        united = list({job.folder: job for job in [*earlier, *jobs]}.values())
        plan = Plan(united, list(questions))
        content = {
            "jobs": [job._asdict() for job in plan.jobs],
            "questions": [asked._asdict() for asked in plan.questions],
        }
        write_json(folder / STUDY_FILE, content)
    return plan
