"""The columns of the tables of numbers: what each shows, and which value of it is best."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from reslag_vae.studies.report.finished import FinishedRun
from reslag_vae.studies.report.measures import bound_settings, is_mass
from reslag_vae.studies.report.rows import Row, as_float
from reslag_vae.studies.report.statistics import Estimate

# The KL of a level in metrics.json, before its number.
LEVEL = "kl_level_"


class Column(NamedTuple):
    """A number beside the thesis' four terms.

    Attributes:
        key: the column's name in the CSV file.
        name: the column's heading.
        value: function of a row that returns its number; None if it has none.
        digits: number of digits after the point, or of significant ones if negative.
        best: `max` or `min`, whichever is better among several rows; empty if neither is.
        depends: function of a run that returns what the number depends on beside the model: among
            rows that differ in it none is best; None for a number that all runs have alike.
    """

    key: str
    name: str
    value: Callable[[Row], Estimate | None]
    digits: int
    best: str = ""
    depends: Callable[[FinishedRun], object] | None = None


def from_evaluation(group: str, name: str) -> Callable[[Row], Estimate | None]:
    """Return a function that takes a number from evaluation.json."""
    return lambda row: row.evaluated(group, lambda run: run.evaluation_value(group, name))


def from_result(*path: str) -> Callable[[Row], Estimate | None]:
    """Return a function that takes a number from metrics.json."""

    def value(run: FinishedRun) -> float | None:
        node: object = run.result
        for key in path:
            node = node.get(key) if isinstance(node, dict) else None
        return as_float(node)

    return lambda row: row.estimate(value)


def with_error(key: str, name: str, group: str, best: str = "") -> tuple[Column, Column]:
    """Return the columns of a number of evaluation.json, and of its standard error over images.

    The error is that of one run, in the mean over the runs: of the same images it does not fall
    with their number.
    """
    return (
        Column(key, name, from_evaluation(group, key), 3, best, settings_of(group)),
        Column(f"{key}_over_images", "± over images", error_over_images(group, key), -2),
    )


def error_over_images(group: str, name: str) -> Callable[[Row], Estimate | None]:
    """Return a function that takes the standard error over images of a number in evaluation.json.

    Of several runs it is the mean of theirs.
    """

    def error(row: Row) -> Estimate | None:
        found = row.evaluated(group, lambda run: run.evaluation_error(group, name))
        return None if found is None else found._replace(error=None)

    return error


def settings_of(group: str) -> Callable[[FinishedRun], object]:
    """Return a function that returns what a group of numbers of evaluation.json depends on."""
    return lambda run: run.evaluation_settings(group)


def level_columns(rows: Sequence[Row]) -> list[Column]:
    """Return the columns of the KL of each level, top first; none where no row has levels."""
    tests = [run.result["test"] for row in rows for run in row.runs]
    count = max((sum(name.startswith(LEVEL) for name in test) for test in tests), default=0)
    return [
        Column(
            f"{LEVEL}{level}",
            f"KL of level {level}, nats",
            from_result("test", f"{LEVEL}{level}"),
            2,
        )
        for level in range(1, count + 1)
    ]


THESIS_TOTAL = Column(
    "total_at_thesis_sigma2", "Total at the thesis' s2", lambda row: row.total_at_thesis_sigma2, 2
)

YARDSTICK = (
    Column("elbo", "ELBO, yardstick", from_result("test", "elbo"), 1, "max", is_mass),
    Column(
        "bits_per_dim", "bits/dim of it", from_result("test", "bits_per_dim"), 3, "min", is_mass
    ),
    Column("rec", "Rec", lambda row: row.term("rec"), 2, "min"),
    Column("kl", "KL, nats", from_result("test", "kl"), 2),
    Column(
        "mutual_information", "mutual information", from_result("test", "mutual_information"), 2
    ),
    Column(
        "mutual_information_ceiling",
        "its ceiling",
        from_result("test", "mutual_information_ceiling"),
        2,
    ),
    Column("active_units", "active units", from_result("test", "active_units"), 1),
    *(
        Column(f"{name}{level}", f"{title}{words}", from_result("test", f"{name}{level}"), digits)
        for name, title, digits in (
            ("codes_used", "codes used", 0),
            ("perplexity", "perplexity", 1),
        )
        for level, words in (("", ""), ("_top", ", top"), ("_bottom", ", bottom"))
    ),
    Column("sigma2", "sigma2", from_result("test", "sigma2"), -3),
    Column(
        "importance_weighted_bound",
        "IW bound",
        from_evaluation("likelihood", "importance_weighted_bound"),
        2,
        "max",
        bound_settings,
    ),
    Column(
        "ssim",
        "SSIM",
        from_evaluation("reconstruction", "ssim"),
        3,
        "max",
        settings_of("reconstruction"),
    ),
    Column(
        "nearest_neighbours",
        "k-NN",
        from_evaluation("classes", "nearest_neighbours"),
        3,
        "max",
        settings_of("classes"),
    ),
    Column(
        "frechet_prior",
        "classifier Fréchet, prior",
        from_evaluation("samples", "classifier_frechet_prior"),
        2,
        "min",
        settings_of("samples"),
    ),
    Column(
        "frechet_mixture",
        "of a mixture",
        from_evaluation("samples", "classifier_frechet_mixture"),
        2,
        "min",
        settings_of("samples"),
    ),
)

OVER_IMAGES = (
    "± over images is the standard error of one run's number over the test images, in the mean "
    "over runs; the other ± is that of the mean over seeds."
)

# Of the evaluation's numbers of detail each has its uncertainty beside it.
DETAIL = (
    *with_error("sharpness_reconstructions", "sharpness, reconstructions", "sharpness"),
    *with_error("coherence_reconstructions", "their coherence", "sharpness", "max"),
    *with_error("sharpness_samples", "sharpness, samples", "sharpness"),
    *with_error("lpips", "LPIPS", "perceptual", "min"),
)

COST = (
    Column("parameters", "parameters", from_result("parameters", "total"), 0),
    Column("epoch", "best epoch", from_result("epoch"), 0),
    Column("epochs_run", "epochs", from_result("epochs_run"), 0),
    Column("aggressive_epochs", "aggressive", from_result("aggressive_epochs"), 0),
    Column("seconds", "seconds of training", from_result("seconds"), 0),
    Column("images_per_second", "images/s", from_result("images_per_second"), 0),
)


def filled_columns(rows: Sequence[Row], columns: Sequence[Column]) -> list[Column]:
    """Return the columns in which any row has a number."""
    return [column for column in columns if any(column.value(row) is not None for row in rows)]


def best(rows: Sequence[Row], column: Column) -> float | None:
    """Return the best of the rows' means in a column; None if nothing can be best."""
    values = [(row, column.value(row)) for row in rows]
    found = {row.name: value.mean for row, value in values if value is not None}
    if not column.best or len(found) < 2:
        return None
    if column.depends is not None:
        on = [column.depends(run) for row in rows if row.name in found for run in row.runs]
        if any(own != on[0] for own in on):
            return None
    return (max if column.best == "max" else min)(found.values())
