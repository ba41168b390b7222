"""Which runs a study has: a union of grids, narrowed and multiplied from the command line."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import PurePosixPath
from typing import NamedTuple

from reslag_vae._runtime.errors import ConfigError

# The axes that give a run its place: results/<data>/<every other axis>/seed_<seed>.
DATA, MODEL, SEED = "data", "model", "seed"

Axes = Mapping[str, Sequence[str]]


class Job(NamedTuple):
    """One run of a study.

    Attributes:
        folder: of the run, within the study's results.
        overrides: that make it, as on the command line of train.py.
    """

    folder: str
    overrides: tuple[str, ...]

    @property
    def data(self) -> str:
        """The data set."""
        return PurePosixPath(self.folder).parts[0]

    @property
    def row(self) -> str:
        """What is the same of the runs that differ in nothing but the seed, and of those on other data sets."""
        return PurePosixPath(self.folder).parts[1]


def jobs(grids: Sequence[Axes], chosen: Axes) -> list[Job]:
    """The runs of some grids, each once, in order.

    Args:
        grids: the values of each axis; a grid has every combination of its own.
        chosen: values by option, as given on the command line. Of an option that is an axis of some
            grid they choose among its values, so that a grid without it, or without one of them,
            falls away. Any other option is set for every run; several values multiply the runs.

    Raises:
        ConfigError: a value is in no grid, a grid does not say which data and model it is of, or
            two runs would have one folder.
    """
    extra = {
        name: values for name, values in chosen.items() if not any(name in grid for grid in grids)
    }
    narrowing = {name: values for name, values in chosen.items() if name not in extra}
    for name, values in narrowing.items():
        check_values(grids, name, values)
    found: dict[str, Job] = {}
    for grid in grids:
        if narrowing.keys() <= grid.keys():
            axes = {
                name: narrowed(values, narrowing.get(name)) for name, values in grid.items()
            } | extra
            for job in jobs_of(axes, [name for name in extra if len(extra[name]) < 2]):
                if set(found.setdefault(job.folder, job).overrides) != set(job.overrides):
                    raise ConfigError(
                        f"{job.folder} would be the folder of two runs: write their values differently."
                    )
    return list(found.values())


def check_values(grids: Sequence[Axes], name: str, values: Sequence[str]) -> None:
    """Raise a ConfigError if a value is in no grid."""
    known = list(dict.fromkeys(value for grid in grids for value in grid.get(name, ())))
    for value in values:
        if value not in known:
            raise ConfigError(f"{name}={value} is not in this study; there are {', '.join(known)}.")


def narrowed(values: Sequence[str], chosen: Sequence[str] | None) -> list[str]:
    """The values that are chosen; all of them if there is no choice."""
    return [value for value in values if chosen is None or value in chosen]


def jobs_of(axes: Axes, unnamed: Sequence[str]) -> Iterator[Job]:
    """Every combination of the axes. Those in `unnamed` are the same for all, and not in the folders' names."""
    for name in (DATA, MODEL):
        if name not in axes:
            raise ConfigError(
                f"A grid of a study needs {DATA} and {MODEL}; this one has {', '.join(axes)}."
            )
    for values in product(*axes.values()):
        point = dict(zip(axes, values, strict=True))
        named = [
            label(name, value)
            for name, value in point.items()
            if name not in (DATA, SEED, *unnamed)
        ]
        folder = f"{point[DATA]}/{'-'.join(named)}/seed_{point.get(SEED, '0')}"
        yield Job(folder, tuple(f"{name}={value}" for name, value in point.items()))


def label(name: str, value: str) -> str:
    """`lagging` of model=lagging, `beta_4` of objective.beta=4; in letters that need no quotes anywhere."""
    *path, last = name.split(".")
    text = f"{last}_{value}" if path else value
    return "".join(letter if letter.isalnum() or letter in "._" else "_" for letter in text)
