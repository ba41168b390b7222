"""Systems at an equal rate: where several have about the same KL, how near they come to images."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from reslag_vae.studies.report.columns import from_evaluation, from_result
from reslag_vae.studies.report.finished import FinishedRun
from reslag_vae.studies.report.rows import Row
from reslag_vae.studies.report.statistics import Estimate
from reslag_vae.studies.report.systems import Systems, distances, prior_of, rank
from reslag_vae.studies.report.tables import text_of

# With its best variance, a model has 2 MSE less Rec for a nat more: from end to end of a band, a
# tenth of its rate, that is 1% of Rec at 28x28 and 30 nats, 3% at 32x32x3 and 400.
TOLERANCE = 0.05

HEAD = ("KL, nats", "Rec", "Fréchet, reconstructions", "sharpness", "epochs", "seeds", "study")


class Point(NamedTuple):
    """A row with a rate and a distortion.

    Attributes:
        system: variant and prior of the row.
        row: the row.
        study: name of the row's study.
        rate: KL in nats.
        rec: Rec.
    """

    system: tuple[str, str]
    row: Row
    study: str
    rate: Estimate
    rec: Estimate


class Band(NamedTuple):
    """Systems at about the same rate.

    Attributes:
        centre: rate in nats, from which that of no row differs by more than `TOLERANCE`.
        points: of each system the row with the best ELBO on validation images, from the least Rec.
    """

    centre: float
    points: list[Point]


def bands_of(group: Systems) -> list[Band]:
    """Return the bands of rate in which two systems or more have a row, from the lowest rate.

    Each is centred on a row: first on that around which most systems are. No row is in two bands.
    """
    left = sorted(points_of(group), key=lambda own: (own.rate.mean, own.study, own.row.name))
    found: list[Band] = []
    while left:
        bands = [band_around(point.rate.mean, left) for point in left]
        largest = max(bands, key=lambda band: len(band.points))
        if len(largest.points) < 2:
            break
        found.append(largest)
        left = [point for point in left if not is_near(point, largest.centre)]
    return sorted(found, key=lambda band: band.centre)


def points_of(group: Systems) -> list[Point]:
    """Return the rows of all systems that have a rate, and whose reconstruction is a mean."""
    found = []
    for system, rows in group.candidates.items():
        for row, study in rows:
            rate, rec = from_result("test", "kl")(row), row.term("rec")
            if rate is not None and rate.mean > 0 and rec is not None:
                found.append(Point(system, row, study, rate, rec))
    return found


def band_around(centre: float, points: Iterable[Point]) -> Band:
    """Return the best row of each system by validation images, among those near a rate."""
    best: dict[tuple[str, str], Point] = {}
    for point in points:
        other = best.get(point.system)
        if is_near(point, centre) and (
            other is None or rank(point.row, "val") > rank(other.row, "val")
        ):
            best[point.system] = point
    return Band(centre, sorted(best.values(), key=lambda own: own.rec.mean))


def is_near(point: Point, centre: float) -> bool:
    """Return whether the rate of a row is within the tolerance of a band's centre."""
    return abs(point.rate.mean - centre) <= TOLERANCE * centre


def band_lines(group: Systems, bands: Iterable[Band]) -> list[list[str]]:
    """Return the lines of a data set's bands, below one that says where each is; first the head."""
    lines = [["", *HEAD]]
    for band in bands:
        lines.append([f"around {band.centre:,.1f} nats", *("" for _ in HEAD)])
        lines += [cells_of(point, group) for point in band.points]
    return lines


def places_of(bands: Iterable[Band]) -> list[str]:
    """Return the folders of the files of each line below the head; of a band's own none."""
    return [
        place
        for band in bands
        for place in ("", *(f"{point.study}/{point.row.place}" for point in band.points))
    ]


def cells_of(point: Point, group: Systems) -> list[str]:
    """Return the cells of a row below `HEAD`."""
    row, first = point.row, point.row.runs[0]
    sharpness = from_evaluation("sharpness", "sharpness_reconstructions")(row)
    frechet = distances(row, group)[0]
    return [
        row.title,
        text_of(or_over_images(point.rate, error_of_mean(first, "kl")), 1),
        text_of(or_over_images(point.rec, error_of_mean(first, "rec")), 2),
        text_of(
            or_over_images(
                frechet, first.evaluation_error("samples", "classifier_frechet_reconstructions")
            ),
            2,
        ),
        text_of(
            or_over_images(
                sharpness, first.evaluation_error("sharpness", "sharpness_reconstructions")
            ),
            3,
        ),
        text_of(from_result("epochs_run")(row), 0),
        str(len(row.runs)),
        point.study,
    ]


def or_over_images(own: Estimate | None, error: float | None) -> Estimate | None:
    """Return an estimate over seeds; of a single seed with the error of its own."""
    return own._replace(error=error) if own is not None and own.runs == 1 else own


def error_of_mean(run: FinishedRun, name: str) -> float | None:
    """Return the standard error of a mean over test images; None without their values."""
    values = run.per_image.get(name)
    if values is None or len(values) < 2:
        return None
    return float(np.std(values, ddof=1, dtype=np.float64) / np.sqrt(len(values)))


def alone(group: Systems, bands: Iterable[Band]) -> str:
    """Return the sentence on the systems that have no other at their rate; empty without any."""
    found = list(bands)
    if not found:
        return "At no rate do two systems have a Rec."
    held = {point.system for band in found for point in band.points}
    points, rates = points_of(group), {}
    for system in group.systems:
        name = (system.row.model, prior_of(system.row))
        own = [point for point in points if point.system == name]
        others = [point for point in points if point.system != name]
        best = next((point for point in own if point.row is system.row), None)
        near = any(is_near(other, point.rate.mean) for point in own for other in others)
        if best is not None and name not in held and not near:
            rates[system.row.title] = best.rate.mean
    names = "; ".join(f"{title} ({rate:,.1f} nats)" for title, rate in rates.items())
    return f"No other system is near {names}." if names else ""
