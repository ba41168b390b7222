"""Several evaluated runs beside each other: rows are models, columns the same images."""

from collections import Counter, defaultdict
from pathlib import Path

from reslag_vae._runtime.escape import markdown
from reslag_vae._runtime.files import write_atomically
from reslag_vae.evaluation.numbers import Number, format_number
from reslag_vae.evaluation.pictures import gallery
from reslag_vae.evaluation.pictures.gallery import RunMaterial
from reslag_vae.evaluation.pictures.material import SHOWN, evenly_spaced
from reslag_vae.evaluation.record import Evaluated, save_all

# What a table of several models shows of each: column, group and name of the number.
COLUMNS = (
    ("Rec", "thesis", "rec"),
    ("Lat", "thesis", "lat"),
    ("MMD", "thesis", "mmd"),
    ("Total", "thesis", "total"),
    ("ELBO, yardstick", "yardstick", "elbo"),
    ("IW bound, own sigma2", "likelihood", "importance_weighted_bound"),
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
)


NOTE = (
    "± is the standard error over images. Totals, and bounds with an own sigma2, compare between models of the same "
    "objective alone."
)


def compare(results: list[Evaluated], folder: Path) -> list[Path]:
    """Pictures and a table of the runs on each data set that more than one run is of.

    Args:
        results: of the runs.
        folder: in which each data set has one.

    Returns:
        The files.
    """
    paths = []
    for name, group in alike(results).items():
        if len(group) > 1:
            titled = distinct(group)
            shown = drawn(titled)
            if shown:
                paths += save_all(gallery.comparison(shown), folder / name)
            paths.append(folder / name / "comparison.md")
            write_atomically(paths[-1], as_markdown(titled))
    return paths


def alike(results: list[Evaluated]) -> dict[str, list[Evaluated]]:
    """The runs by data set, those that were evaluated on the same images together."""
    groups: dict[tuple[str, int, bytes], list[Evaluated]] = defaultdict(list)
    for result in results:
        images = result.subject.images
        content = evenly_spaced(images, SHOWN).images.numpy().tobytes()
        groups[result.subject.data.key, len(images), content].append(result)
    seen: Counter[str] = Counter()
    named = {}
    for (key, *_), group in groups.items():
        seen[key] += 1
        named[key if seen[key] == 1 else f"{key}_{seen[key]}"] = group
    return named


def distinct(group: list[Evaluated]) -> dict[str, Evaluated]:
    """The runs by their titles, made different by what differs: beta, the seed of training, or else a number."""
    titles = [result.run.title for result in group]
    for distinguish in (with_beta, with_seed):
        longer = [distinguish(title, result) for title, result in zip(titles, group, strict=True)]
        told = Counter(dict(zip(longer, titles, strict=True)).values())
        titles = [
            new if told[title] > 1 else title for title, new in zip(titles, longer, strict=True)
        ]
    counts, seen = Counter(titles), Counter[str]()
    for number, title in enumerate(titles):
        seen[title] += 1
        titles[number] = f"{title} ({seen[title]})" if counts[title] > 1 else title
    return dict(zip(titles, group, strict=True))


def with_beta(title: str, result: Evaluated) -> str:
    """The title with the weight of the KL, where there is one."""
    beta = result.run.objective.beta
    return title if beta is None else f"{title}, beta {beta:g}"


def with_seed(title: str, result: Evaluated) -> str:
    """The title with the seed of training."""
    return f"{title}, seed {result.run.config.seed}"


def drawn(titled: dict[str, Evaluated]) -> dict[str, RunMaterial]:
    """What is drawn of the runs. Those of a sweep of beta keep one title between rate and distortion: a curve."""
    shown = {title: result.shown for title, result in titled.items() if result.shown is not None}
    return {
        title: own
        if own.rate.beta is not None
        else own._replace(rate=own.rate._replace(title=title))
        for title, own in shown.items()
    }


def as_markdown(titled: dict[str, Evaluated]) -> str:
    """A row for each run, and beneath the table its verdict and folder, and how the numbers were measured."""
    lines = [
        "| | " + " | ".join(column for column, _, _ in COLUMNS) + " |",
        "| --- |" + " ---: |" * len(COLUMNS),
    ]
    for title, result in titled.items():
        cells = [cell(result.numbers[group][name]) for _, group, name in COLUMNS]
        lines.append(f"| {markdown(title)} | " + " | ".join(cells) + " |")
    lines += ["", NOTE, ""]
    for title, result in titled.items():
        words = "" if result.diagnosis is None else f"; {result.diagnosis.verdict}"
        place = f"{markdown(str(result.run.folder))}, epoch {result.run.epoch} ({result.run.checkpoint})"
        lines.append(f"- {markdown(title)}: {place}{words}")
    lines += ["", "How each number was measured:", ""]
    for column, group, name in COLUMNS:
        for how, titles in protocols(titled, group, name).items():
            whose = "" if len(titles) == len(titled) else f" ({'; '.join(map(markdown, titles))})"
            lines.append(f"- {column}{whose}: {markdown(how)}")
    return "\n".join([*lines, ""])


def cell(number: Number) -> str:
    """The number and its standard error, or a dash."""
    value = format_number(number.value)
    return value if number.error is None else f"{value} ± {number.error:.2g}"


def protocols(titled: dict[str, Evaluated], group: str, name: str) -> dict[str, list[str]]:
    """Unit and protocol of a number, and the titles of the runs that they are true of; none of those without it."""
    found: dict[str, list[str]] = defaultdict(list)
    for title, result in titled.items():
        number = result.numbers[group][name]
        if number.value is not None:
            found[f"{number.unit}; {number.protocol}"].append(title)
    return found
