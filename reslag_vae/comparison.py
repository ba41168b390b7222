"""Several evaluated runs beside each other: rows are models, columns the same images."""

from collections import Counter, defaultdict
from pathlib import Path

from reslag_vae.evaluated import Evaluated, save_all
from reslag_vae.evaluation import gallery
from reslag_vae.evaluation.exhibits import SHOWN, spread
from reslag_vae.files import write_atomically
from reslag_vae.objectives import Beta
from reslag_vae.results import format_number

# What a table of several models shows of each: column, group and name of the number.
COLUMNS = (
    ("Rec", "thesis", "rec"),
    ("Lat", "thesis", "lat"),
    ("MMD", "thesis", "mmd"),
    ("Total", "thesis", "total"),
    ("ELBO, yardstick", "yardstick", "elbo"),
    ("IW bound", "likelihood", "importance_weighted_bound"),
    ("PSNR", "reconstruction", "psnr"),
    ("SSIM", "reconstruction", "ssim"),
    ("MSE", "reconstruction", "mse"),
    ("MSE of PCA", "reconstruction", "pca_mse"),
    ("active units", "latent", "active_units"),
    ("KL", "latent", "kl"),
    ("linear probe", "classes", "linear_probe"),
    ("k-NN", "classes", "nearest_neighbours"),
    ("classifier Fréchet, prior", "samples", "classifier_frechet_prior"),
    ("classifier Fréchet, mixture", "samples", "classifier_frechet_mixture"),
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
            drawn = {title: result.shown for title, result in titled.items() if result.shown is not None}
            if drawn:
                paths += save_all(gallery.shared(drawn), folder / name)
            paths.append(folder / name / "comparison.md")
            write_atomically(paths[-1], as_markdown(titled))
    return paths


def alike(results: list[Evaluated]) -> dict[str, list[Evaluated]]:
    """The runs by data set, those that were evaluated on the same images together."""
    groups: dict[tuple[str, int, bytes], list[Evaluated]] = defaultdict(list)
    for result in results:
        images = result.subject.images
        content = spread(images, SHOWN).images.numpy().tobytes()
        groups[result.subject.data.key, len(images), content].append(result)
    seen: Counter[str] = Counter()
    named = {}
    for (key, *_), group in groups.items():
        seen[key] += 1
        named[key if seen[key] == 1 else f"{key}_{seen[key]}"] = group
    return named


def distinct(group: list[Evaluated]) -> dict[str, Evaluated]:
    """The runs by their titles, made different by what differs: beta, or else the names of their folders."""
    titles = [result.run.title for result in group]
    for distinguish in (with_beta, with_folder):
        counts = Counter(titles)
        titles = [
            distinguish(title, result) if counts[title] > 1 else title
            for title, result in zip(titles, group, strict=True)
        ]
    return dict(zip(titles, group, strict=True))


def with_beta(title: str, result: Evaluated) -> str:
    """The title with the weight of the KL, where there is one."""
    objective = result.run.model.objective
    return f"{title}, beta {objective.beta:g}" if isinstance(objective, Beta) else title


def with_folder(title: str, result: Evaluated) -> str:
    """The title with where the run is."""
    return f"{title} ({result.run.folder})"


def as_markdown(titled: dict[str, Evaluated]) -> str:
    """A row for each run, and beneath the table how the numbers of each column were measured."""
    lines = ["| | " + " | ".join(column for column, _, _ in COLUMNS) + " |", "| --- |" + " ---: |" * len(COLUMNS)]
    for title, result in titled.items():
        cells = [format_number(result.numbers[group][name].value) for _, group, name in COLUMNS]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    lines += ["", "Totals of different objectives do not compare; how each number was measured:", ""]
    for column, group, name in COLUMNS:
        for how, titles in protocols(titled, group, name).items():
            whose = "" if len(titles) == len(titled) else f" ({'; '.join(titles)})"
            lines.append(f"- {column}{whose}: {how}")
    return "\n".join([*lines, ""])


def protocols(titled: dict[str, Evaluated], group: str, name: str) -> dict[str, list[str]]:
    """Unit and protocol of a number, and the titles of the runs that they are true of; none of those without it."""
    found: dict[str, list[str]] = defaultdict(list)
    for title, result in titled.items():
        number = result.numbers[group][name]
        if number.value is not None:
            found[f"{number.unit}; {number.protocol}"].append(title)
    return found
