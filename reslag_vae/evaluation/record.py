"""One finished run evaluated: evaluation.json and the pictures in its folder."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reslag_vae._runtime.errors import printable
from reslag_vae._runtime.files import remove_unfinished
from reslag_vae._runtime.process import peak_memory
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.measurements import measure
from reslag_vae.evaluation.measurements.perceptual import perceptual
from reslag_vae.evaluation.metrics.collapse import Diagnosis, diagnose
from reslag_vae.evaluation.numbers import Numbers, format_number
from reslag_vae.evaluation.pictures import SIGMA2_KEYS, RatePoint, gallery
from reslag_vae.evaluation.pictures.figures import save_figure
from reslag_vae.evaluation.pictures.gallery import Pictures, RunMaterial
from reslag_vae.evaluation.pictures.material import model_material
from reslag_vae.runs import provenance
from reslag_vae.runs.folder import EVALUATIONS, evaluation_figures, evaluation_file
from reslag_vae.runs.formats import write_json
from reslag_vae.runs.load import Run


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
        subject: the model and its data.
        numbers: by group and name.
        diagnosis: of its latent; None where the posterior is a point.
        shown: what is drawn of it; None if nothing is.
        pictures: the files.
    """

    run: Run
    subject: Subject
    numbers: dict[str, Numbers]
    diagnosis: Diagnosis | None
    shown: RunMaterial | None
    pictures: list[Path]

    @property
    def file(self) -> Path:
        """evaluation.json, with the split and the checkpoint in its name if they are not test and best."""
        return evaluation_file(self.run.folder, self.subject.settings.split, self.run.checkpoint)


def evaluate_run(run: Run, subject: Subject, wanted: Wanted) -> Evaluated:
    """Measure and draw a run, and write both into its folder.

    Args:
        run: read back.
        subject: its model and data.
        wanted: what it is to give.

    Raises:
        UserError: what the perceptual distances need is missing. They come first, so that nothing
            is lost then.
    """
    start = monotonic()
    remove_unfinished(run.folder, [EVALUATIONS])
    remove_unfinished(
        evaluation_figures(run.folder, subject.settings.split, run.checkpoint), ["*.png"]
    )
    learned = {"perceptual": perceptual(subject, wanted.weights)} if wanted.perceptual else {}
    numbers = measure(subject) | learned
    evaluated = Evaluated(run, subject, numbers, diagnosis_of(subject), None, [])
    write_json(evaluated.file, summary(evaluated) | {"seconds": round(monotonic() - start, 1)})
    if not wanted.figures:
        return evaluated
    shown = show_of(run, subject, numbers, wanted.tsne)
    return evaluated._replace(shown=shown, pictures=draw(run, subject, shown, wanted.attributes))


def diagnosis_of(subject: Subject) -> Diagnosis | None:
    """Has the latent collapsed? None where the posterior is a point."""
    if subject.model.deterministic:
        return None
    return diagnose(
        subject.model, subject.codes, subject.likelihood, subject.settings.seed, subject.progress
    )


def show_of(run: Run, subject: Subject, numbers: dict[str, Numbers], tsne: int) -> RunMaterial:
    """What is drawn of a run beside others."""
    rec = numbers["thesis"]["rec"].value
    assert rec is not None, "every model reconstructs"
    return RunMaterial(
        material=model_material(subject, tsne),
        class_names=subject.data.class_names,
        latent_dim=run.model.latent_dim,
        sigma2=[row for row in run.history if row.keys() >= set(SIGMA2_KEYS)],
        rate=RatePoint(run.title, numbers["yardstick"]["kl"].value, rec, run.objective.beta),
        pca=numbers["reconstruction"]["pca_rec"].value,
    )


def draw(run: Run, subject: Subject, shown: RunMaterial, attributes: Sequence[str]) -> list[Path]:
    """The pictures of a run as files in its folder, beside those of its training."""
    folder = evaluation_figures(run.folder, subject.settings.split, run.checkpoint)
    pictures = chain(
        gallery.comparison({run.title: shown}), gallery.single_model(subject, attributes)
    )
    with subject.progress("pictures", None):
        return save_all(pictures, folder)


def save_all(pictures: Pictures, folder: Path) -> list[Path]:
    """Each picture in a file of its name."""
    paths = []
    for name, figure in pictures:
        paths.append(folder / f"{name}.png")
        save_figure(figure, paths[-1])
    return paths


def summary(evaluated: Evaluated) -> dict[str, Any]:
    """What evaluation.json says."""
    run, subject, model = evaluated.run, evaluated.subject, evaluated.run.model
    numbers = {
        group: {name: number.as_dict() for name, number in named.items()}
        for group, named in evaluated.numbers.items()
    }
    return {
        "model": run.variant.name,
        "title": run.title,
        "data": subject.data.name,
        "objective": run.preset,
        "schedule": run.schedule.name,
        "training_seed": run.config.seed,
        "checkpoint": run.checkpoint,
        "epoch": run.epoch,
        "settings": subject.settings._asdict(),
        "verdict": None if evaluated.diagnosis is None else verdict(subject, evaluated.diagnosis),
        "numbers": numbers,
        "device": str(model.parameter.device),
        "peak_memory_mb": round(peak_memory() / 1e6),  # of the process until now
        "versions": provenance.versions(),
        "commit": provenance.commit(),
    }


def verdict(subject: Subject, diagnosis: Diagnosis) -> dict[str, Any]:
    """Whether the latent has collapsed, in words, and the KL and the state of each dimension."""
    count = len(diagnosis.active)
    kls = subject.codes.kls
    means = [None] * count if kls is None else kls.double().mean(0).tolist()
    states = [
        "idle, ignored by the decoder"
        if ignored
        else "idle, used by the decoder"
        if lagging
        else "active"
        for ignored, lagging in zip(diagnosis.ignored, diagnosis.lagging, strict=True)
    ]
    return {
        "sentence": diagnosis.verdict,
        "dimensions": [
            {"name": f"z{j}", "kl": value, "state": state}
            for j, (value, state) in enumerate(zip(means, states, strict=True), 1)
        ],
        "protocol": f"{subject.of_reference}; KL in nats; the decoder is asked with its "
        f"likelihood; {subject.whose_likelihood}",
    }


def show(evaluated: Evaluated) -> None:
    """The numbers as a table, with their standard errors over images; what is missing, and where the files are."""
    run, console = evaluated.run, Console()
    table = Table(
        title=escape(f"{run.title}: {run.folder}, epoch {run.epoch}"), title_justify="left"
    )
    for column in ("", "value", "± s.e.", "unit"):
        table.add_column(
            column, justify="left" if column in ("", "unit") else "right", no_wrap=column != "unit"
        )
    missing: dict[str, list[str]] = defaultdict(list)
    for group, numbers in evaluated.numbers.items():
        table.add_section()
        table.add_row(f"[bold]{group}")
        for name, number in numbers.items():
            if number.value is None:
                missing[number.protocol].append(f"{group} {name}")
            else:
                error = "" if number.error is None else f"{number.error:.3g}"
                table.add_row(f"  {name}", format_number(number.value), error, number.unit)
    console.print(table)
    lines = [f"without {', '.join(names)}: {why}" for why, names in missing.items()]
    if evaluated.diagnosis is not None:
        lines.append(evaluated.diagnosis.verdict)
    for line in (*lines, *(f"  {path}" for path in (evaluated.file, *evaluated.pictures))):
        console.print(printable(line), soft_wrap=True, highlight=False, markup=False)
