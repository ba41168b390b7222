"""The runs of a study that are not there, with the hours that they would take."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from reslag_vae.studies.grid import Job
from reslag_vae.studies.overview import run_statuses
from reslag_vae.studies.plan import results_of
from reslag_vae.studies.report.finished import FinishedRun
from reslag_vae.studies.run_state import State
from reslag_vae.variants.titles import BY_NAME

HOURS_NOTE = (
    "Hours are medians of finished runs on the same data, those of other rows by the number of "
    "updates (an aggressive step of n encoder updates as 0.6 + 0.8 n joint ones)."
)


class Hours(NamedTuple):
    """The hours that a run would take in all.

    Attributes:
        value: hours of training.
        basis: the finished runs that they are taken from, in words.
    """

    value: float
    basis: str


class MissingRuns(NamedTuple):
    """Runs that are not finished, and differ in nothing but their seeds.

    Attributes:
        row: folder of their row within the results.
        seeds: their seeds.
        state: how far they are, and why they have no result.
        hours: hours that each would take; None if no finished run is on its data set.
    """

    row: str
    seeds: list[str]
    state: str
    hours: Hours | None


def missing_runs(
    study: Path, jobs: Sequence[Job], runs: Sequence[FinishedRun]
) -> list[MissingRuns]:
    """Return the planned runs that are not finished, in the order of the plan.

    Args:
        study: folder of the study.
        jobs: its planned runs.
        runs: its finished runs.
    """
    found: dict[tuple[str, str, Hours | None], list[str]] = {}
    for job, own in run_statuses(results_of(study), jobs).items():
        if own.state is not State.FINISHED:
            state = ": ".join(filter(None, (own.state.value, own.reason)))
            key = (f"{job.data}/{job.row}", state, hours_of(job, runs))
            found.setdefault(key, []).append(job.seed.removeprefix("seed_"))
    return [MissingRuns(row, seeds, state, hours) for (row, state, hours), seeds in found.items()]


def hours_of(job: Job, runs: Sequence[FinishedRun]) -> Hours | None:
    """Return the hours that a run would take, by the finished ones on its data set.

    They are the median hours of its row at other seeds, else of the rows of its model, else of all
    rows. Of another row they are those of an epoch of joint updates, times what the run has of
    such.
    """
    near = [run for run in runs if run.folder.parts[-3] == job.data]
    same = [run for run in near if run.row == job.row]
    if same:
        seeds = ", ".join(str(run.seed) for run in same)
        return Hours(median(run.hours for run in same), f"the same row, seed {seeds}")
    kin = [run for run in near if run.result["model"] == model_of(job)]
    for others, words in ((kin, f" of {model_of(job)}"), (near, "")):
        scaled = [(run.row, run.hours * share) for run in others if (share := share_of(job, run))]
        if scaled:
            rows = len({row for row, _ in scaled})
            basis = f"{rows} other row{'s' if rows > 1 else ''}{words}"
            return Hours(median(value for _, value in scaled), basis)
    return None


def share_of(job: Job, run: FinishedRun) -> float | None:
    """Return how many times the work of a finished run another one on its data set has.

    It is None where the updates are not known beforehand, or are of minibatches of another size.
    """
    settings = dict(override.partition("=")[::2] for override in job.overrides)
    # One that is not asked for is that of the experiment, as of rows whose names have none.
    own = str(run.config["data"].get("batch_size"))
    usual = "" if "batch_size_" in run.row else own
    if settings.get("data.batch_size", usual) != own:
        return None
    recipe, schedule = run.config["recipe"], run.config["schedule"]
    planned = settings.get("trainer.max_epochs", run.config["trainer"]["max_epochs"])
    aggressive = settings.get("schedule.epochs", recipe.get("aggressive_epochs"))
    asked = joint_epochs(
        planned,
        aggressive if lags(job, settings) else 0,
        settings.get("schedule.ratio", recipe.get("ratio")),
    )
    done = joint_epochs(
        run.result["epochs_run"], run.result.get("aggressive_epochs", 0), schedule.get("ratio")
    )
    return asked / done if asked and done else None


def joint_epochs(epochs: object, aggressive: object, ratio: object) -> float | None:
    """Return how many epochs of joint updates take as long as epochs of which some are aggressive.

    An aggressive step of n encoder updates takes as long as 0.6 + 0.8 n joint ones
    (experiments/lagging). It is None where a number is none, as an adaptive ratio.
    """
    try:
        more = int(str(aggressive))
        return int(str(epochs)) + (more * (0.8 * int(str(ratio)) - 0.4) if more else 0.0)
    except ValueError:
        return None


def model_of(job: Job) -> str:
    """Return the name of a planned run's variant."""
    named = [own for own in job.overrides if own.startswith("model=")]
    return named[-1].removeprefix("model=") if named else job.row.partition("-")[0]


def lags(job: Job, settings: dict[str, str]) -> bool:
    """Return whether a planned run begins with aggressive epochs."""
    schedule = settings.get("schedule")
    if schedule is not None:
        return schedule == "lagging"
    variant = BY_NAME.get(model_of(job))
    return variant is not None and "lagging" in variant.requires


def missing_table(missing: Sequence[MissingRuns]) -> list[list[str]]:
    """Return the table of missing runs; the first line is the head."""
    lines = [["", "seeds", "hours each", "hours taken from"]]
    for own in missing:
        state = "" if own.state == State.TO_GO.value else f", {own.state}"
        known = ["-", "-"] if own.hours is None else [f"{own.hours.value:.1f}", own.hours.basis]
        lines.append([f"{own.row}{state}", ", ".join(own.seeds), *known])
    return lines


def hours_in_all(missing: Sequence[MissingRuns]) -> str:
    """Return the sentence on the hours of all missing runs."""
    known = [(own.hours.value, len(own.seeds)) for own in missing if own.hours is not None]
    total, count = sum(value * seeds for value, seeds in known), sum(seeds for _, seeds in known)
    unknown = sum(len(own.seeds) for own in missing) - count
    if not count:
        return f"No finished run tells how long {'they' if unknown > 1 else 'it'} would take."
    runs = f"{count} run{'s, one after another' if count > 1 else ''}"
    left_out = f"; not counted: {unknown}, of which no finished run tells" if unknown else ""
    return f"About {total:,.1f} hours of training for {runs}{left_out}. {HOURS_NOTE}"
