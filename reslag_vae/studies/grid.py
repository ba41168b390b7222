"""The runs of a study: a union of grids, narrowed and multiplied from the command line."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import PurePosixPath
from typing import NamedTuple

from reslag_vae._runtime.errors import ConfigError

# The axes that give a run its place: results/<data>/<every other axis>/seed_<seed>.
DATA, MODEL, SEED = "data", "model", "seed"

# Among the values of an axis: whatever else the command line names, such as a data set of its own.
OTHERS = "*"

Axes = Mapping[str, Sequence[str]]


class Job(NamedTuple):
    """One run of a study.

    Attributes:
        folder: the run's folder, relative to the study's results.
        overrides: options that define the run, as on the command line of train.py.
    """

    folder: str
    overrides: tuple[str, ...]

    @property
    def data(self) -> str:
        """Name of the data set."""
        return PurePosixPath(self.folder).parts[0]

    @property
    def row(self) -> str:
        """The part of the folder that runs differing only in seed or data set share."""
        return PurePosixPath(self.folder).parts[1]

    @property
    def seed(self) -> str:
        """The part of the folder that runs differing only in row or data set share."""
        return PurePosixPath(self.folder).parts[-1]


def jobs(grids: Sequence[Axes], chosen: Axes) -> list[Job]:
    """Return the runs of some grids in order, each once.

    Args:
        grids: values of each axis, for each grid; a grid has every combination of its own. The
            value `*` stands for those on the command line that are in no grid.
        chosen: values by option, as given on the command line. If the option is an axis of some
            grid, they choose among its values, and a grid without the axis, or without one of them,
            has no runs. Any other option is set for every run; several values multiply the runs.

    Raises:
        ConfigError: a value is in no grid, some runs have all that is chosen but none has this
            value, a grid does not say which data and model it is of, or two runs would have one
            folder.
    """
    axes_of_grids = {name for grid in grids for name in grid}
    extra = {name: values for name, values in chosen.items() if name not in axes_of_grids}
    narrowing = {name: values for name, values in chosen.items() if name in axes_of_grids}
    unnamed = [name for name, values in extra.items() if len(values) < 2]
    known = {name: known_values(grids, name) for name in narrowing}
    for name, values in narrowing.items():
        check_values(name, values, known[name])
    found: dict[str, Job] = {}
    for grid in grids:
        if not narrowing.keys() <= grid.keys():
            continue
        axes = {
            name: restricted(values, narrowing.get(name), known.get(name, ()))
            for name, values in grid.items()
        }
        for job in jobs_of(axes | extra, unnamed):
            if set(found.setdefault(job.folder, job).overrides) != set(job.overrides):
                raise ConfigError(
                    f"{job.folder} would be the folder of two runs: write their values differently."
                )
    if found:
        check_runs(narrowing, found.values())
    return list(found.values())


def seed_after_seed(runs: Iterable[Job]) -> list[Job]:
    """Return runs in the order in which to start them: all of a seed before those of the next.

    Runs that differ in seed alone need the same compiled graphs. In this order those that start
    together compile different ones, and later seeds find all of them in the cache; and a study that
    is cut short has all its rows.
    """
    ordered = list(runs)
    seeds = list(dict.fromkeys(job.seed for job in ordered))
    return sorted(ordered, key=lambda job: seeds.index(job.seed))


def known_values(grids: Sequence[Axes], name: str) -> list[str]:
    """Return the values of an axis in all grids, each once."""
    return list(dict.fromkeys(value for grid in grids for value in grid.get(name, ())))


def check_values(name: str, values: Sequence[str], known: Sequence[str]) -> None:
    """Raise a ConfigError if a value is in no grid, and none takes others."""
    for value in values:
        if value not in known and OTHERS not in known:
            raise ConfigError(f"{name}={value} is not in this study; there are {', '.join(known)}.")


def check_runs(chosen: Axes, found: Iterable[Job]) -> None:
    """Raise a ConfigError if a chosen value is in none of the runs that were found."""
    taken = {override for job in found for override in job.overrides}
    for name, values in chosen.items():
        for value in values:
            if f"{name}={value}" not in taken:
                others = " ".join(
                    f"{other}={','.join(own)}" for other, own in chosen.items() if other != name
                )
                raise ConfigError(
                    f"{name}={value}: no run of this study has it with {others}; leave {value} "
                    f"out, or run it in a command without {others}."
                )


def restricted(
    values: Sequence[str], chosen: Sequence[str] | None, known: Sequence[str]
) -> list[str]:
    """Return the chosen values that an axis takes; all of its own if there is no choice.

    Args:
        values: of the axis.
        chosen: on the command line; None is no choice.
        known: values of the axis in all grids.
    """
    own = [value for value in values if value != OTHERS]
    if chosen is None:
        return own
    others = [value for value in chosen if value not in known] if OTHERS in values else []
    return [value for value in own if value in chosen] + others


def jobs_of(axes: Axes, unnamed: Sequence[str]) -> Iterator[Job]:
    """Yield a run for every combination of the axes.

    The axes in `unnamed` are the same for all runs and do not appear in the names of folders.
    """
    for name in (DATA, MODEL):
        if name not in axes:
            raise ConfigError(
                f"A grid of a study needs {DATA} and {MODEL}; this one has {', '.join(axes)}."
            )
    for values in product(*axes.values()):
        point = dict(zip(axes, values, strict=True))
        named = [
            folder_label(name, value)
            for name, value in point.items()
            if name not in (DATA, SEED, *unnamed)
        ]
        folder = f"{point[DATA]}/{'-'.join(named)}/seed_{point.get(SEED, '0')}"
        yield Job(folder, tuple(f"{name}={value}" for name, value in point.items()))


def folder_label(name: str, value: str) -> str:
    """Return the part of a folder's name for a value: `beta_4` for objective.beta=4.

    For an option without a dot it is the value alone: `lagging` for model=lagging. Its characters
    need no quotes anywhere.
    """
    *path, last = name.split(".")
    text = f"{last}_{value}" if path else value
    return "".join(letter if letter.isalnum() or letter in "._" else "_" for letter in text)
