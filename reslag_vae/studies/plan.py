"""study.json: the runs that a study has been asked for, and the questions that it is to answer."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from reslag_vae._runtime.errors import ConfigError, first_line, printable
from reslag_vae.runs.folder import RunError, read_json, write_json
from reslag_vae.runs.lock import occupied
from reslag_vae.studies.grid import Job

STUDY_FILE = "study.json"
RESULTS = "results"

# Seconds for which another start of the study may hold study.json.
WAIT = 30.0


class Question(NamedTuple):
    """Is one row better than another, or as good as it?

    Attributes:
        text: the question, as the report asks it.
        first: the row that is asked about.
        second: the row that it is compared with.
        data: the data sets on which it is asked; None for all.
        margin: the largest difference, in bits/dim of the yardstick, at which the first is as good
            as the second; None asks whether it is better.
    """

    text: str
    first: str
    second: str
    data: tuple[str, ...] | None = None
    margin: float | None = None


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
    if not isinstance(node, dict) or not {"text", "first", "second"} <= node.keys() <= set(
        Question._fields
    ):
        raise ConfigError(
            f"A question of a study has text, first, second and perhaps data, and this one is {node}."
        )
    data, margin = node.get("data"), node.get("margin")
    texts = [
        node["text"],
        node["first"],
        node["second"],
        *(data if isinstance(data, list | tuple) else []),
    ]
    if not all(isinstance(text, str) for text in texts) or not isinstance(
        data, list | tuple | None
    ):
        raise ConfigError(f"A question of a study is made of texts, and this one is {node}.")
    if margin is not None and (type(margin) not in (int, float) or not margin > 0):
        raise ConfigError(
            f"The margin of a question is a positive number of bits/dim, and this one is {margin}."
        )
    return Question(
        node["text"], node["first"], node["second"], None if data is None else tuple(data), margin
    )


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
                raise ConfigError(
                    f"“{asked.text}” is about {row}; this study has {', '.join(sorted(rows))}."
                )


def results_of(study: Path) -> Path:
    """The folder of a study's results: `results` in it, or itself."""
    return study / RESULTS if (study / RESULTS).is_dir() else study


def read_plan(folder: Path) -> Plan:
    """The plan in a study's folder of results.

    Raises:
        RunError: it is not there, or damaged.
    """
    path = folder / STUDY_FILE
    if not path.exists():
        raise RunError(f"{path} is not there: no run of this study has been started.")
    content = read_json(path)
    try:
        return Plan(
            [job_of(node) for node in content["jobs"]],
            [question(node) for node in content["questions"]],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged: {first_line(error)}") from None


def job_of(node: dict[str, Any]) -> Job:
    """A run of study.json.

    Raises:
        ValueError: it does not name a folder within the study and its overrides.
    """
    folder, overrides = node["folder"], node["overrides"]
    parts = PurePosixPath(folder).parts if isinstance(folder, str) else ()
    if len(parts) < 2 or ".." in parts or parts[0] == "/" or printable(folder) != folder:
        raise ValueError(f"a run's folder is {printable(str(folder))}")
    if not isinstance(overrides, list) or not all(isinstance(own, str) for own in overrides):
        raise ValueError(f"the overrides of {folder} are no list of texts")
    return Job(folder, tuple(overrides))


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
