"""One table of all systems: of each its best row in several studies, on the same images."""

import csv
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from reslag_vae import latents
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import RESULT_FILE
from reslag_vae.studies.plan import RESULTS, results_of
from reslag_vae.studies.report.columns import from_evaluation, from_result
from reslag_vae.studies.report.finished import FinishedRun, read_finished_runs
from reslag_vae.studies.report.grouping import data_order, rows_of
from reslag_vae.studies.report.rows import Row
from reslag_vae.studies.report.statistics import Estimate
from reslag_vae.studies.report.thesis import STANDS_FOR, title_of

# Where an evaluation has the Fréchet distance of samples.
FRECHET = ("samples", "classifier_frechet_prior")


# The rows of each system, by its variant and prior, with the names of their studies.
Group = dict[tuple[str, str], list[tuple[Row, str]]]


class Published(NamedTuple):
    """What a paper reports of a system, on the same data.

    Attributes:
        value: nats per image of a mass, bits per dimension of a density; less is better.
        what: which of the paper's models it is of, and how it was measured; empty if that is plain.
        source: address of the paper or code.
    """

    value: float
    what: str
    source: str


class System(NamedTuple):
    """A system's best row in any study.

    Attributes:
        row: the row with the best ELBO on validation images.
        study: name of the study's folder.
        rows: number of rows that it is the best of.
        published: what a paper reports; None if none is known on these data.
    """

    row: Row
    study: str
    rows: int
    published: Published | None


class Systems(NamedTuple):
    """The systems that were tested on the same images, under likelihoods of one kind.

    Attributes:
        place: name of the data set, with a number if there is another of that name before it.
        data: name of the data set.
        told: what the models are told of an image, such as its `label`; None for nothing.
        are_masses: whether the likelihoods are masses, as those of binary pixels; the ELBO of a
            density is that of the common yardstick.
        images: numbers of images that train, choose the epoch and test.
        systems: the systems, from the best ELBO to the worst; last those without one.
        candidates: all rows of each, of which the best stands for it.
    """

    place: str
    data: str
    told: str | None
    are_masses: bool
    images: tuple[int, int, int]
    systems: list[System]
    candidates: Group

    @property
    def title(self) -> str:
        """Title of the data set, and what distinguishes it from others of the same name."""
        own = title_of(self.data)
        own += "" if self.told is None else f", models that are told the {self.told}"
        return own if self.place == self.data else f"{own}, {self.images[2]:,} test images"

    @property
    def reference(self) -> int | None:
        """The number of images of which most rows have Fréchet distances; others do not compare."""
        found = [
            own
            for system in self.systems
            if system.row.estimate(lambda run: run.evaluation_value(*FRECHET)) is not None
            and (own := reference_of(system.row)) is not None
        ]
        return max(sorted(set(found)), key=found.count, default=None)


class Key(NamedTuple):
    """What systems have in common that compare with each other.

    Attributes:
        data: name of the data set.
        are_masses: whether the likelihoods are masses.
        told: what the models are told of an image, such as its `label`; None for nothing.
        images: numbers of images that train, choose the epoch and test.
        digest: digest of the test images; None if it was not kept.
    """

    data: str
    are_masses: bool
    told: str | None
    images: tuple[int, int, int]
    digest: str | None


def studies_in(folder: Path) -> list[Path]:
    """Return the studies with finished runs among a folder's own folders, by name."""
    own = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    return [path for path in own if any((path / RESULTS).glob(f"*/*/seed_*/{RESULT_FILE}"))]


def is_folder_of_studies(folder: Path) -> bool:
    """Return whether a folder holds studies and is none itself."""
    itself = any(results_of(folder).glob(f"*/*/seed_*/{RESULT_FILE}"))
    return not itself and bool(studies_in(folder))


def systems_of(folder: Path) -> list[Systems]:
    """Return the best row of each system, by the images that it was tested on.

    A system is a variant with its prior. Of its rows the one with the best ELBO on validation
    images stands for it, so that no test image chooses. A system that nothing stands beside is left
    out.

    Args:
        folder: folder of studies.

    Raises:
        RunError: no two systems were tested on the same images, or a file is damaged.
    """
    groups: dict[Key, Group] = {}
    for study in studies_in(folder):
        for rows in rows_of(read_finished_runs(study)).values():
            for row in rows:
                group = groups.setdefault(key_of(row), {})
                group.setdefault((row.model, prior_of(row)), []).append((row, study.name))
    put_together(groups)
    several = {key: group for key, group in groups.items() if len(group) > 1}
    if not several:
        raise RunError(f"{folder} has no two systems that were tested on the same images.")
    found: list[Systems] = []
    for key in sorted(several, key=lambda own: (data_order(own.data), -len(several[own]))):
        number = sum(own.data == key.data for own in found) + 1
        place = key.data if number == 1 else f"{key.data}_{number}"
        group = several[key]
        systems = ordered(key.data, group)
        found.append(Systems(place, key.data, key.told, key.are_masses, key.images, systems, group))
    return found


def key_of(row: Row) -> Key:
    """Return the images that a row was tested on, and the kind of its likelihood."""
    digest = next(filter(None, (run.test_digest for run in row.runs)), None)
    first = row.runs[0]
    told = (first.config.get("condition") or {}).get("kind")
    train, val, test = (first.result["images"][name] for name in ("train", "val", "test"))
    return Key(row.data, first.is_mass, told, (train, val, test), digest)


def put_together(groups: dict[Key, Group]) -> None:
    """Add the rows that do not say which images they were tested on to those that do.

    Earlier versions have kept the name and the numbers of images alone: where all others of that
    name and these numbers were tested on the same images, they were.
    """
    for key in [own for own in groups if own.digest is None]:
        others = [own for own in groups if own.digest and own._replace(digest=None) == key]
        if len(others) == 1:
            for name, rows in groups.pop(key).items():
                groups[others[0]].setdefault(name, []).extend(rows)


def ordered(data: str, group: Group) -> list[System]:
    """Return the best row of each system, from the best ELBO on test images to the worst."""
    printed = published()
    systems = []
    for name, rows in group.items():
        row, study = max(rows, key=lambda own: rank(own[0], "val"))
        known = printed.get((STANDS_FOR.get(data, data), *name))
        systems.append(System(row, study, len(rows), known))
    return sorted(systems, key=lambda own: rank(own.row, "test"), reverse=True)


def rank(row: Row, split: str) -> tuple[bool, float]:
    """Return the sort key of a row by the images of a split: its ELBO, without one its Rec."""
    elbo, rec = from_result(split, "elbo")(row), from_result(split, "rec")(row)
    if elbo is not None:
        return (True, elbo.mean)
    return (False, -float("inf") if rec is None else -rec.mean)


def prior_of(row: Row) -> str:
    """Return the name of the prior, as on the command line; of one's own that of its class.

    Runs that could not choose one have the usual one.
    """
    prior = row.runs[0].config.get("prior")
    if prior is None:
        return latents.StandardNormal.name
    own = str(prior.get("_target_")).rpartition(".")[2]
    return str(getattr(getattr(latents, own, None), "name", own))


def reference_of(row: Row) -> int | None:
    """Return the number of images of a row's evaluation; None if it was not evaluated."""
    return setting_of(row.runs[0], "reference")


def distances(row: Row, group: Systems) -> list[Estimate | None]:
    """Return the Fréchet distances, where they are of as many images as most of the group's."""
    if reference_of(row) != group.reference:
        return [None, None]
    places = (("samples", "classifier_frechet_reconstructions"), FRECHET)
    return [from_evaluation(*place)(row) for place in places]


def samples_of(row: Row) -> int | None:
    """Return the number of samples of the importance-weighted bound; None if it has none.

    Where all would be alike, as of codes and without latents, there is one, and the bound the ELBO.
    """
    first = row.runs[0]
    bound, elbo = (
        first.evaluation_value("likelihood", name) for name in ("importance_weighted_bound", "elbo")
    )
    return 1 if bound is not None and bound == elbo else setting_of(first, "samples")


def bound_images_of(row: Row) -> int | None:
    """Return the number of images of the importance-weighted bound; None if it has none."""
    asked, test = reference_of(row), row.runs[0].result["images"]["test"]
    return None if asked is None else min(asked, test)


def setting_of(run: FinishedRun, name: str) -> int | None:
    """Return a setting of a run's evaluation; None if it was not evaluated."""
    found = run.evaluation_settings("").get(name)
    return found if type(found) is int else None


def published() -> dict[tuple[str, str, str], Published]:
    """Return what papers report, by data set, variant and prior.

    Data are the same: static binarisation stands for itself alone.
    """
    text = files("reslag_vae.studies.report").joinpath("published.csv").read_text(encoding="utf-8")
    return {
        (row["data"], row["model"], row["prior"]): Published(
            float(row["value"]), row["what"], row["source"]
        )
        for row in csv.DictReader(text.splitlines())
    }
