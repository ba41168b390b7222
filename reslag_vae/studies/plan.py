"""The plan of a study in study.json: the requested runs, and the questions to answer."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from reslag_vae._runtime.errors import ConfigError, first_line, printable
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.formats import read_json, write_json
from reslag_vae.runs.lock import occupied
from reslag_vae.studies.grid import Job

STUDY_FILE = "study.json"
RESULTS = "results"

# Beside it: <name of a test set>/<data>/<row>/seed_<seed>/, each with an evaluation of that run.
TEST_SETS = "test_sets"

# By which a question may be answered.
MEASURES = (
    "elbo",
    "rec",
    "importance_weighted_bound",
    "mutual_information",
    "active_units",
    "sharpness_reconstructions",
    "coherence_reconstructions",
    "sharpness_samples",
)

# Seconds for which another start of the study may hold study.json.
WAIT = 30.0


class Question(NamedTuple):
    """A question about a study: is one row better than another, or as good as it?

    Attributes:
        text: the question, as the report asks it.
        first: name of the row that is asked about.
        second: name of the row that it is compared with.
        data: data sets on which the question is asked; None for all.
        margin: the largest difference, in bits/dim of the yardstick, at which the first row is as
            good as the second; None asks whether it is better.
        by: names of the measures that answer it; None is the yardstick's ELBO and Rec.
    """

    text: str
    first: str
    second: str
    data: tuple[str, ...] | None = None
    margin: float | None = None
    by: tuple[str, ...] | None = None

    def is_asked_on(self, data: str) -> bool:
        """Return whether the question is asked on a data set."""
        return self.data is None or data in self.data


class Plan(NamedTuple):
    """The runs and questions of a study.

    Attributes:
        jobs: the study's runs.
        questions: questions that the study is to answer.
    """

    jobs: list[Job]
    questions: list[Question]


def parse_question(node: dict[str, Any]) -> Question:
    """Return the question that a node of a configuration describes.

    Raises:
        ConfigError: a part is missing, unknown or of the wrong type.
    """
    needed, known = {"text", "first", "second"}, set(Question._fields)
    if not isinstance(node, dict) or not needed <= node.keys() <= known:
        raise ConfigError(
            "A question of a study has text, first, second and perhaps data, and this one is "
            f"{node}."
        )
    margin, lists = node.get("margin"), [node.get("data"), node.get("by")]
    texts = [node["text"], node["first"], node["second"]]
    texts += chain(*(own for own in lists if isinstance(own, list | tuple)))
    are_lists = all(isinstance(own, list | tuple | None) for own in lists)
    if not are_lists or not all(isinstance(text, str) for text in texts):
        raise ConfigError(f"A question of a study is made of texts, and this one is {node}.")
    if margin is not None and (type(margin) not in (int, float) or not margin > 0):
        raise ConfigError(
            f"The margin of a question is a positive number of bits/dim, and this one is {margin}."
        )
    data, by = (None if own is None else tuple(own) for own in lists)
    if by is not None and (margin is not None or not by or not set(by) <= set(MEASURES)):
        raise ConfigError(
            f"A question without a margin is answered by some of {', '.join(MEASURES)}, and this "
            f"one is {node}."
        )
    return Question(node["text"], node["first"], node["second"], data, margin, by)


def check_questions(questions: Sequence[Question], jobs: Sequence[Job]) -> None:
    """Refuse questions about rows that the study does not have.

    Args:
        questions: questions of the study.
        jobs: all runs of the study, whichever are requested.

    Raises:
        ConfigError: a question is about an unknown row.
    """
    rows = {job.row for job in jobs}
    for asked in questions:
        for row in (asked.first, asked.second):
            if row not in rows:
                raise ConfigError(
                    f"“{asked.text}” is about {row}; this study has {', '.join(sorted(rows))}."
                )


def results_of(study: Path) -> Path:
    """Return the folder of a study's results: `results` in its folder, or the folder itself."""
    return study / RESULTS if (study / RESULTS).is_dir() else study


def read_plan(folder: Path) -> Plan:
    """Read the plan from a study's folder of results.

    Raises:
        RunError: study.json is missing or damaged.
    """
    path = folder / STUDY_FILE
    if not path.exists():
        raise RunError(f"{path} is not there: no run of this study has been started.")
    content = read_json(path)
    try:
        return Plan(
            [parse_job(node) for node in content["jobs"]],
            [parse_question(node) for node in content["questions"]],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged: {first_line(error)}") from None


def planned(folder: Path) -> Plan:
    """Return the plan in a study's folder of results, empty if no run of it has been started.

    Raises:
        RunError: study.json is damaged.
    """
    return read_plan(folder) if (folder / STUDY_FILE).exists() else Plan([], [])


def parse_job(node: dict[str, Any]) -> Job:
    """Return the run that a node of study.json describes.

    Raises:
        ValueError: the node does not have a folder within the study and a list of overrides.
    """
    folder, overrides = node["folder"], node["overrides"]
    parts = PurePosixPath(folder).parts if isinstance(folder, str) else ()
    if len(parts) < 2 or ".." in parts or parts[0] == "/" or printable(folder) != folder:
        raise ValueError(f"a run's folder is {printable(str(folder))}")
    if not isinstance(overrides, list) or not all(isinstance(own, str) for own in overrides):
        raise ValueError(f"the overrides of {folder} are no list of texts")
    return Job(folder, tuple(overrides))


def add_to_plan(
    folder: Path,
    jobs: Sequence[Job],
    questions: Sequence[Question],
    others: Sequence[Job] = (),
) -> Plan:
    """Add runs to the written plan, and replace its questions about rows of the same experiment.

    A study may be made of several experiments, each with rows and questions of its own.

    Args:
        folder: folder of the study's results.
        jobs: runs that are added.
        questions: questions of the experiment that they are of.
        others: further runs of that experiment.
    """
    rows = {job.row for job in [*jobs, *others]}
    with occupied(folder, WAIT):
        earlier = planned(folder)
        united = list({job.folder: job for job in [*earlier.jobs, *jobs]}.values())
        kept = [own for own in earlier.questions if not {own.first, own.second} <= rows]
        plan = Plan(united, [*kept, *questions])
        content = {
            "jobs": [job._asdict() for job in plan.jobs],
            "questions": [asked._asdict() for asked in plan.questions],
        }
        write_json(folder / STUDY_FILE, content)
    return plan
