"""The table of all systems, as lines of text, Markdown and CSV."""

import csv
import io
from collections.abc import Iterable, Sequence

from reslag_vae._runtime.escape import markdown
from reslag_vae.studies.report.columns import error_over_images, from_evaluation, from_result
from reslag_vae.studies.report.equal_rate import (
    TOLERANCE,
    Band,
    alone,
    band_lines,
    bands_of,
    places_of,
)
from reslag_vae.studies.report.finished import SECONDS_PER_HOUR
from reslag_vae.studies.report.rows import Row
from reslag_vae.studies.report.spreadsheet import pair_of, without_formula
from reslag_vae.studies.report.statistics import Estimate
from reslag_vae.studies.report.systems import (
    System,
    Systems,
    bound_images_of,
    distances,
    prior_of,
    reference_of,
    samples_of,
)
from reslag_vae.studies.report.tables import text_of
from reslag_vae.studies.report.text import LINKS_NOTE, markdown_table

# Head of the column of what papers report.
PAPER = "a paper's"

# Where an evaluation has the importance-weighted bound.
BOUND = ("likelihood", "importance_weighted_bound")

# Head of the column of the studies' names.
STUDY = "study"

NOTES = (
    "Of each system, a variant with its prior, the row of any study stands here that has the best "
    "ELBO on validation images. The numbers are of the test split, means over seeds ± standard "
    "errors; from the best ELBO to the worst.",
    "Models of different size and hours are no contest: both stand beside the numbers.",
    "Rec, Fréchet distances and sharpness (that of the originals is 1) compare at an equal rate, "
    "the KL or the code in nats: a second table has the systems with a row within "
    f"{TOLERANCE:.0%} of the same one, each by its best row there on validation images. In it, ± "
    "of a single seed is the standard error over test images; these are the same under all, so "
    "that differences are surer.",
    "Of a density, bits/dim are those of the ELBO with one global variance, of pixels in [0, 1] of "
    "which each of 256 levels is a bin; papers' are mostly of masses over these levels.",
    "Fréchet distances are those between features of a small classifier, and compare within a "
    "column alone. What a paper reports is of its own, larger model.",
    "Epochs and hours of a second stage (a fitted prior, a prior of codes) are its own, without "
    "those of the model that it stands on, whose parameters are counted. Hours are those of one "
    "run on the machine that it had, beside whatever else ran there: of the size of a cost, no "
    "measure of speed.",
)


def cells_of(system: System, group: Systems) -> list[str]:
    """Return a system's cells below `head_of`; of what a paper reports the number alone."""
    row = system.row
    measures = (
        [text_of(negative(from_result("test", "elbo")(row)), 2), bound_text(row)]
        if group.are_masses
        else [text_of(from_result("test", "bits_per_dim")(row), 3)]
    )
    return [
        row.title,
        *measures,
        "-" if system.published is None else f"{system.published.value:.2f}",
        text_of(from_result("test", "kl")(row), 1),
        text_of(row.term("rec"), 2),
        *(text_of(own, 2) for own in distances(row, group)),
        *(text_of(own, 0) for own in size(row)),
        text_of(hours(row), 2),
        str(len(row.runs)),
        system.study,
    ]


def head_of(group: Systems) -> list[str]:
    """Return the heads of the columns."""
    measures = ["-ELBO, nats", "-IW bound (samples; images)"] if group.are_masses else ["bits/dim"]
    return [
        *("", *measures, PAPER, "KL, nats", "Rec", "Fréchet, reconstructions", "Fréchet, samples"),
        *("parameters", "epochs", "hours", "seeds", STUDY),
    ]


def size(row: Row) -> list[Estimate | None]:
    """Return the numbers of parameters and epochs."""
    return [from_result("parameters", "total")(row), from_result("epochs_run")(row)]


def hours(row: Row) -> Estimate | None:
    """Return the hours of training."""
    return scaled(from_result("seconds")(row), 1 / SECONDS_PER_HOUR)


def bound_of(row: Row) -> Estimate | None:
    """Return the importance-weighted bound on -log p of a mass, in nats."""
    return negative(from_evaluation(*BOUND)(row))


def bound_text(row: Row) -> str:
    """Return the importance-weighted bound with its numbers of samples and of images."""
    bound = bound_of(row)
    of = "" if bound is None else f" ({samples_of(row):,}; {bound_images_of(row):,})"
    return text_of(bound, 2) + of


def negative(own: Estimate | None) -> Estimate | None:
    """Return an estimate with the other sign."""
    return scaled(own, -1)


def scaled(own: Estimate | None, factor: float) -> Estimate | None:
    """Return an estimate in another unit."""
    if own is None:
        return None
    error = None if own.error is None else own.error * abs(factor)
    return own._replace(mean=own.mean * factor, error=error)


def filled(lines: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return a table without the columns that are dashes or empty below their head."""
    columns = list(zip(*lines, strict=True))
    kept = [column for column in columns if any(cell not in ("-", "") for cell in column[1:])]
    return [list(line) for line in zip(*kept, strict=True)]


def table_of(group: Systems) -> list[list[str]]:
    """Return the table of a data set; the first line is the head."""
    return filled([head_of(group), *(cells_of(system, group) for system in group.systems)])


def rate_table(group: Systems, bands: Sequence[Band]) -> list[list[str]]:
    """Return the table of a data set's systems at equal rates; the first line is the head."""
    return filled(band_lines(group, bands))


def images_text(group: Systems) -> str:
    """Return how many images there are, and of how many the distances and bounds are."""
    train, val, test = group.images
    text = f"{train:,} images train, {val:,} choose the epoch, {test:,} test."
    if group.reference is not None:
        text += f" Distances are of {group.reference:,}."
        own = [row for row in rows_of(group) if reference_of(row) == group.reference]
        real = span(
            from_evaluation("samples", "classifier_frechet_train_images")(row) for row in own
        )
        if real is not None:
            text += f" Training images are {real} from test images, by the classifiers of all rows."
    bounds = [row for row in rows_of(group) if group.are_masses and bound_of(row) is not None]
    errors = span(error_over_images(*BOUND)(row) for row in bounds)
    if errors is not None:
        text += (
            " A bound is of so many test images as it says, over which its standard error is "
            f"{errors}: those of other images differ by that, too. ± is over seeds."
        )
    return text


def rows_of(group: Systems) -> list[Row]:
    """Return the rows of the table."""
    return [system.row for system in group.systems]


def span(found: Iterable[Estimate | None]) -> str | None:
    """Return the least and the largest of some numbers, as text; None if there are none."""
    texts = [f"{own.mean:.2f}" for own in found if own is not None]
    if not texts:
        return None
    least, largest = min(texts, key=float), max(texts, key=float)
    return least if least == largest else f"{least} to {largest}"


def systems_markdown(found: Sequence[Systems]) -> str:
    """Return the tables as Markdown."""
    notes = [*NOTES, LINKS_NOTE]
    parts = ["# All systems", "", *[f"{note}\n" for note in notes]]
    for group in found:
        head, *lines = table_of(group)
        for line, system in zip(lines, group.systems, strict=True):
            own = system.published
            if own is not None:
                position = head.index(PAPER)
                what = f" ({markdown(own.what)})" if own.what else ""
                line[position] = f"[{line[position]}]({own.source}){what}"
        parts += [f"## {markdown(group.title)}", "", images_text(group), ""]
        places = [f"{system.study}/{system.row.place}" for system in group.systems]
        parts += [markdown_table([head, *lines], places)]
        bands = bands_of(group)
        if bands:
            parts += ["### At an equal rate", ""]
            parts += [markdown_table(rate_table(group, bands), places_of(bands))]
        parts += [markdown(note), ""] if (note := alone(group, bands)) else []
    return "\n".join(parts)


def systems_csv(found: Sequence[Systems]) -> str:
    """Return a CSV line for each system: its numbers, their standard errors, and their source."""
    numbers = ("parameters", "epochs", "hours", "elbo", "bits_per_dim", "iw_bound", "kl", "rec")
    distance = ("frechet_reconstructions", "frechet_samples")
    head = ["data", "test_images", "study", "row", "rows", "model", "prior", "title", "seeds"]
    head += [f"{name}{suffix}" for name in (*numbers, *distance) for suffix in ("", "_error")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*head, "iw_samples", "iw_images", "published", "published_of", "published_in"])
    for group in found:
        for system in group.systems:
            row, own = system.row, system.published
            values = [
                *(
                    *size(row),
                    hours(row),
                    from_result("test", "elbo")(row),
                    from_result("test", "bits_per_dim")(row),
                ),
                bound_of(row) if group.are_masses else None,
                *(from_result("test", "kl")(row), row.term("rec"), *distances(row, group)),
            ]
            cells: list[object] = [
                *(group.place, group.images[2], system.study, row.name, system.rows),
                *(row.model, prior_of(row), row.title, len(row.runs)),
            ]
            cells += [cell for value in values for cell in pair_of(value)]
            cells += [samples_of(row) or "", bound_images_of(row) or ""]
            cells += ["", "", ""] if own is None else [own.value, own.what, own.source]
            writer.writerow(
                [without_formula(cell) if isinstance(cell, str) else cell for cell in cells]
            )
    return text.getvalue()
