"""One finished run evaluated: evaluation.json and the pictures in its folder."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from reslag_vae import runs
from reslag_vae.evaluation import gallery
from reslag_vae.evaluation.collapse import Diagnosis, diagnose
from reslag_vae.evaluation.exhibits import exhibit
from reslag_vae.evaluation.gallery import Pictures, Shown
from reslag_vae.evaluation.measurements import measure
from reslag_vae.evaluation.measurements.perceptual import perceptual
from reslag_vae.evaluation.numbers import Numbers
from reslag_vae.evaluation.pictures import RatePoint
from reslag_vae.evaluation.subject import Subject
from reslag_vae.figures import save_figure
from reslag_vae.loading import Run
from reslag_vae.objectives import Beta
from reslag_vae.process import peak_memory
from reslag_vae.results import format_number

EVALUATION_FILE = "evaluation.json"


class Wanted(NamedTuple):
    """What an evaluation is to give beside the numbers that are always measured.

    Attributes:
        figures: whether there are to be pictures.
        tsne: codes at most that are drawn by their t-SNE; 0 leaves it out.
        attributes: of CelebA, that are added to faces and removed.
        perceptual: whether LPIPS, FID and KID are measured.
        weights: folder of the weights that those need; None downloads them.
    """

    figures: bool = True
    tsne: int = 5000
    attributes: tuple[str, ...] = ()
    perceptual: bool = False
    weights: Path | None = None


class Evaluated(NamedTuple):
    """A run's results.

    Attributes:
        run: that was evaluated.
        data: name of the data set.
        numbers: by group and name.
        diagnosis: of its latent; None where the posterior is a point.
        shown: what is drawn of it; None if nothing is.
        pictures: the files.
    """

    run: Run
    data: str
    numbers: dict[str, Numbers]
    diagnosis: Diagnosis | None
    shown: Shown | None
    pictures: list[Path]


def evaluate_run(run: Run, subject: Subject, wanted: Wanted) -> Evaluated:
    """Measure and draw a run, and write both into its folder.

    Args:
        run: read back.
        subject: its model and data.
        wanted: what it is to give.

    Raises:
        UserError: what the perceptual distances need is missing. They come first, so that nothing is lost then.
    """
    start = monotonic()
    learned = {"perceptual": perceptual(subject, wanted.weights)} if wanted.perceptual else {}
    numbers = measure(subject) | learned
    diagnosis = None if run.model.deterministic else diagnose(subject.codes.means, subject.bounds.halves)
    result = summary(run, subject, numbers, diagnosis) | {"seconds": round(monotonic() - start, 1)}
    runs.write_json(run.folder / EVALUATION_FILE, result)
    shown = show_of(run, subject, numbers, wanted.tsne) if wanted.figures else None
    pictures = [] if shown is None else draw(run, subject, shown, wanted.attributes)
    return Evaluated(run, subject.data.name, numbers, diagnosis, shown, pictures)


def show_of(run: Run, subject: Subject, numbers: dict[str, Numbers], tsne: int) -> Shown:
    """What is drawn of a run beside others."""
    objective = run.model.objective
    beta = objective.beta if isinstance(objective, Beta) else None
    rec = numbers["thesis"]["rec"].value
    assert rec is not None, "every model reconstructs"
    return Shown(
        exhibits=exhibit(subject, tsne),
        class_names=subject.data.class_names,
        latent_dim=run.model.network.latent_dim,
        sigma2=[row for row in run.history if "sigma2/mean" in row],
        rate=RatePoint(run.title, numbers["latent"]["kl"].value, rec, beta),
        pca=numbers["reconstruction"]["pca_rec"].value,
    )


def draw(run: Run, subject: Subject, shown: Shown, attributes: Sequence[str]) -> list[Path]:
    """The pictures of a run as files in its folder, beside those of its training."""
    folder = run.folder / "figures" / subject.settings.split
    pictures = chain(gallery.shared({run.title: shown}), gallery.own(subject, attributes))
    with subject.progress("pictures", None):
        return save_all(pictures, folder)


def save_all(pictures: Pictures, folder: Path) -> list[Path]:
    """Each picture in a file of its name."""
    paths = []
    for name, figure in pictures:
        paths.append(folder / f"{name}.png")
        save_figure(figure, paths[-1])
    return paths


def summary(run: Run, subject: Subject, groups: dict[str, Numbers], diagnosis: Diagnosis | None) -> dict[str, Any]:
    """What evaluation.json says."""
    model = run.model
    return {
        "model": model.name,
        "title": run.title,
        "data": subject.data.name,
        "objective": model.objective.name,
        "schedule": model.schedule.name,
        "training_seed": run.config.seed,
        "checkpoint": run.checkpoint,
        "epoch": run.epoch,
        "settings": subject.settings._asdict(),
        "verdict": None if diagnosis is None else {"collapse": diagnosis.kind, "sentence": diagnosis.verdict},
        "numbers": {group: {name: n.as_dict() for name, n in numbers.items()} for group, numbers in groups.items()},
        "latent_dimensions": None if diagnosis is None else dimensions(subject, diagnosis),
        "device": str(model.device),
        "peak_memory_mb": round(peak_memory() / 1e6),
        "versions": runs.versions(),
        "commit": runs.commit(),
    }


def dimensions(subject: Subject, diagnosis: Diagnosis) -> list[dict[str, Any]]:
    """KL in nats, and use by encoder and decoder, of each latent dimension."""
    kl = subject.codes.posterior.kl()
    assert kl is not None, "only a posterior with a density is diagnosed"
    names = ("kl", "encoder_uses_it", "decoder_uses_it")
    columns = (kl.double().mean(0).tolist(), diagnosis.active.tolist(), diagnosis.wanted.tolist())
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def show(evaluated: Evaluated) -> None:
    """The numbers as a table, with their standard errors over images, and where the files are."""
    run, console = evaluated.run, Console()
    table = Table(title=f"{run.title}: {run.folder}, epoch {run.epoch}", title_justify="left")
    for column in ("", "value", "± s.e.", "unit"):
        table.add_column(column, justify="left" if column in ("", "unit") else "right", no_wrap=column != "unit")
    for group, numbers in evaluated.numbers.items():
        table.add_section()
        table.add_row(f"[bold]{group}")
        for name, number in numbers.items():
            error = "" if number.error is None else f"{number.error:.2g}"
            unit = number.protocol if number.value is None else number.unit
            table.add_row(f"  {name}", format_number(number.value), error, unit)
    console.print(table)
    if evaluated.diagnosis is not None:
        console.print(evaluated.diagnosis.verdict, soft_wrap=True, highlight=False)
    for path in (run.folder / EVALUATION_FILE, *evaluated.pictures):
        console.print(f"  {path}", soft_wrap=True, highlight=False)
