"""The comparison of several evaluated runs: their pictures and numbers side by side."""

from collections import Counter, defaultdict
from pathlib import Path

from reslag_vae._runtime.escape import markdown
from reslag_vae._runtime.files import write_atomically
from reslag_vae.evaluation.numbers import format_measured
from reslag_vae.evaluation.pictures import gallery
from reslag_vae.evaluation.pictures.gallery import RunMaterial
from reslag_vae.evaluation.pictures.material import GRID_IMAGES
from reslag_vae.evaluation.printing import notes
from reslag_vae.evaluation.record import EvaluatedRun, save_all

# Columns of the table: heading, group and name of the number.
COLUMNS = (
    ("Rec", "thesis", "rec"),
    ("Lat", "thesis", "lat"),
    ("MMD", "thesis", "mmd"),
    ("Total", "thesis", "total"),
    ("ELBO, yardstick", "yardstick", "elbo"),
    ("IW bound", "likelihood", "importance_weighted_bound"),
    ("bits/dim", "likelihood", "bits_per_dim"),
    ("PSNR", "reconstruction", "psnr"),
    ("SSIM", "reconstruction", "ssim"),
    ("MSE", "reconstruction", "mse"),
    ("MSE of PCA", "reconstruction", "pca_mse"),
    ("active units", "latent", "active_units"),
    ("KL", "latent", "kl"),
    ("MI, low", "latent", "mutual_information_low"),
    ("MI, high", "latent", "mutual_information_high"),
    ("linear probe", "classes", "linear_probe"),
    ("k-NN", "classes", "nearest_neighbours"),
    ("classifier Fréchet, prior", "samples", "classifier_frechet_prior"),
    ("classifier Fréchet, mixture", "samples", "classifier_frechet_mixture"),
    ("sharpness, reconstructions", "sharpness", "sharpness_reconstructions"),
    ("their coherence", "sharpness", "coherence_reconstructions"),
    ("sharpness, samples", "sharpness", "sharpness_samples"),
)

NOTE = (
    "± is the standard error over images. Totals compare between models of the same objective "
    "alone. ELBOs and IW bounds compare between masses, whichever they are, and not between a mass "
    "and a density; IW bounds of densities between models of the same likelihood and rule for its "
    "variance; under which likelihood each is taken stands below."
)

SEVERAL_CLASSIFIERS = (
    " Of a distance by several classifiers ± is the standard deviation over these."
)


def compare(results: list[EvaluatedRun], folder: Path) -> list[Path]:
    """Draw and tabulate the runs of each data set that has several.

    Args:
        results: the evaluated runs.
        folder: the folder that gets a folder for each data set.

    Returns:
        The files.
    """
    paths = []
    for name, group in by_images(results).items():
        if len(group) > 1:
            titled = by_title(group)
            materials = shared_material(titled)
            if materials:
                paths += save_all(gallery.comparison(materials), folder / name)
            paths.append(folder / name / "comparison.md")
            write_atomically(paths[-1], as_markdown(titled))
    return paths


def by_images(results: list[EvaluatedRun]) -> dict[str, list[EvaluatedRun]]:
    """Return the runs that were evaluated on the same images, by data set.

    Where one data set has several groups of images, the name of each further one ends in a number.
    """
    groups: dict[tuple[str, int, bytes], list[EvaluatedRun]] = defaultdict(list)
    for result in results:
        images = result.subject.images
        content = images.evenly_spaced(GRID_IMAGES).images.numpy().tobytes()
        groups[result.subject.data.key, len(images), content].append(result)
    seen: Counter[str] = Counter()
    named = {}
    for (key, *_), group in groups.items():
        seen[key] += 1
        named[key if seen[key] == 1 else f"{key}_{seen[key]}"] = group
    return named


def by_title(group: list[EvaluatedRun]) -> dict[str, EvaluatedRun]:
    """Return runs by titles that differ.

    Equal titles get what differs between their runs: the condition, beta, prior, schedule, the seed
    of training, or else a number.
    """
    titles = [result.run.title for result in group]
    for extend in (with_condition, with_beta, with_prior, with_schedule, with_seed):
        longer = [extend(title, result) for title, result in zip(titles, group, strict=True)]
        different = Counter(dict(zip(longer, titles, strict=True)).values())
        pairs = zip(titles, longer, strict=True)
        titles = [new if different[title] > 1 else title for title, new in pairs]
    return dict(zip(numbered(titles), group, strict=True))


def with_condition(title: str, result: EvaluatedRun) -> str:
    """Return a title with the choice of `condition=`."""
    condition = result.run.model.condition
    return f"{title}, given {'none' if condition is None else condition.kind}"


def with_beta(title: str, result: EvaluatedRun) -> str:
    """Return a title with the weight of the KL, where there is one."""
    beta = result.run.objective.beta
    return title if beta is None else f"{title}, beta {beta:g}"


def with_prior(title: str, result: EvaluatedRun) -> str:
    """Return a title with the choice of `prior=`, where there is one."""
    prior = result.run.model.parts().get("prior")
    return title if prior is None else f"{title}, {prior.name}"


def with_schedule(title: str, result: EvaluatedRun) -> str:
    """Return a title with the choice of `schedule=`."""
    return f"{title}, {result.run.schedule.name}"


def with_seed(title: str, result: EvaluatedRun) -> str:
    """Return a title with the seed of training."""
    return f"{title}, seed {result.run.config.seed}"


def numbered(titles: list[str]) -> list[str]:
    """Return titles with a number behind each that occurs several times."""
    counts, seen = Counter(titles), Counter[str]()
    result = []
    for title in titles:
        seen[title] += 1
        result.append(f"{title} ({seen[title]})" if counts[title] > 1 else title)
    return result


def shared_material(titled: dict[str, EvaluatedRun]) -> dict[str, RunMaterial]:
    """Return what the pictures show of the runs that are drawn, by title.

    Runs of a sweep of beta keep one title between rate and distortion, where they are a curve.
    """
    materials = {}
    for title, result in titled.items():
        own = result.material
        if own is not None and own.rate.beta is None:
            own = own._replace(rate=own.rate._replace(title=title))
        if own is not None:
            materials[title] = own
    return materials


def as_markdown(titled: dict[str, EvaluatedRun]) -> str:
    """Return a table with a row for each run.

    Beneath it stand each run's folder and verdict, and how the numbers were measured.
    """
    lines = [
        "| | " + " | ".join(column for column, _, _ in COLUMNS) + " |",
        "| --- |" + " ---: |" * len(COLUMNS),
    ]
    for title, result in titled.items():
        cells = [format_measured(result.numbers[group][name]) for _, group, name in COLUMNS]
        lines.append(f"| {markdown(title)} | " + " | ".join(cells) + " |")
    counts = [result.subject.settings.classifiers for result in titled.values()]
    lines += ["", NOTE + (SEVERAL_CLASSIFIERS if max(counts) > 1 else ""), ""]
    lines += [f"- {markdown(note)}" for note in notes(titled)]
    lines += [run_line(title, result) for title, result in titled.items()]
    lines += ["", "How each number was measured:", "", *protocol_lines(titled), ""]
    return "\n".join(lines)


def run_line(title: str, result: EvaluatedRun) -> str:
    """Return the line of a run beneath the table: its folder, epoch and verdict."""
    folder = markdown(str(result.run.folder))
    verdict = "" if result.diagnosis is None else f"; {result.diagnosis.verdict}"
    epoch = f"epoch {result.run.epoch} ({result.run.checkpoint})"
    return f"- {markdown(title)}: {folder}, {epoch}{verdict}"


def protocol_lines(titled: dict[str, EvaluatedRun]) -> list[str]:
    """Return a line for each column and protocol; it names the runs where these are not all."""
    lines = []
    for column, group, name in COLUMNS:
        for protocol, titles in protocols(titled, group, name).items():
            whose = "" if len(titles) == len(titled) else f" ({'; '.join(map(markdown, titles))})"
            lines.append(f"- {column}{whose}: {markdown(protocol)}")
    return lines


def protocols(titled: dict[str, EvaluatedRun], group: str, name: str) -> dict[str, list[str]]:
    """Return the titles of the runs that have a number, by its unit and protocol.

    Args:
        titled: runs by title.
        group: group of the number.
        name: name of the number in its group.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for title, result in titled.items():
        number = result.numbers[group][name]
        if number.value is not None:
            found[f"{number.unit}; {number.protocol}"].append(title)
    return found
