"""Whatever can be chosen, called or imported is named in the pages."""

import csv
import re
from functools import cache

import pytest

import reslag_vae
from reslag_vae import data, latents, likelihoods, models, networks, objectives, variants
from reslag_vae.cli import COMMANDS
from reslag_vae.evaluation import public
from tests.docs.pages import DOCS, ROOT, pages

GROUPS = (
    "condition",
    "data",
    "experiment",
    "likelihood",
    "logger",
    "model",
    "network",
    "objective",
    "optimizer",
    "posterior",
    "prior",
    "schedule",
)

# Of `defaults:` in other files alone
INNER = {"experiment": {"study"}}
CHOICES = [
    (group, path.stem)
    for group in GROUPS
    for path in sorted((ROOT / "conf" / group).glob("*.yaml"))
    if path.stem not in INNER.get(group, set())
]

# Rooms whose page of the API shows everything that they export
ROOMS = {
    "data": data,
    "evaluation": public,
    "latents": latents,
    "likelihoods": likelihoods,
    "models": models,
    "networks": networks,
    "objectives": objectives,
    "variants": variants,
}


@cache
def text() -> str:
    """Return all pages as one text, without the README."""
    return "\n".join(page.read_text() for page in pages() if page.name != "README.md")


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_choice_is_named(group: str, choice: str) -> None:
    named = re.search(rf"`{choice}`|\b{group}=\S*\b{choice}\b", text())
    assert named, f"no page says {group}={choice}"


def test_every_group_with_choices_is_looked_at() -> None:
    """Groups that only hold defaults have one file."""
    several = {
        folder.name
        for folder in (ROOT / "conf").iterdir()
        if folder.is_dir() and len(list(folder.glob("*.yaml"))) > 1
    }
    assert several - {"hydra"} == set(GROUPS)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_named(command: str) -> None:
    assert f"reslag {command}" in text()


@pytest.mark.parametrize("name", sorted(reslag_vae.__all__))
def test_every_public_name_is_used(name: str) -> None:
    assert f"reslag_vae.{name}(" in text()


@pytest.mark.parametrize(
    "system", sorted(path.stem for path in (ROOT / "conf/model").glob("*.yaml"))
)
def test_every_system_has_its_section(system: str) -> None:
    """Of a page of systems: idea, equation, use and a command."""
    found = re.findall(
        rf"^## `model={system}`\n(.*?)(?=^## |\Z)",
        "\n".join(page.read_text() for page in sorted((DOCS / "systems").glob("*.md"))),
        re.MULTILINE | re.DOTALL,
    )
    assert len(found) == 1
    for part in ("**Idea.**", "$$", "**Use it**", f"python train.py model={system}"):
        assert part in found[0]


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_every_room_has_its_page_of_the_api(room: str) -> None:
    name = ROOMS[room].__name__
    assert f"::: {name}\n" in (DOCS / "api" / f"{room}.md").read_text()
    assert ROOMS[room].__all__


def systems_on(data: str) -> list[dict[str, str]]:
    """Return the lines of the committed table of all systems on a data set."""
    with (ROOT / "experiments" / "systems.csv").open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["data"] == data]


def readme_cells(row: dict[str, str]) -> list[str]:
    """Return the cells of the README's one line whose name leads to the files of a row."""
    place = f"experiments/{row['study']}/results/{row['data']}/{row['row']}/"
    readme = (ROOT / "README.md").read_text()
    [line] = [line for line in readme.splitlines() if line.startswith("| [") and place in line]
    name, *cells = line.strip("| ").split(" | ")
    assert name.startswith(f"[`{row['model']}`]({place})")
    assert ("`schedule=lagging`" in name) == ("-lagging" in row["row"])
    return [name, *cells]


def what_it_took(row: dict[str, str]) -> list[str]:
    """Return a paper's number, and the parameters, hours and seeds of ours."""
    paper = f"[{float(row['published']):.2f}]({row['published_in']})" if row["published"] else "-"
    parameters = f"{float(row['parameters']) / 1e6:.2f}"
    return [paper, parameters, f"{float(row['hours']):.2f}", row["seeds"]]


@pytest.mark.parametrize("row", systems_on("binarized_mnist"), ids=lambda row: row["row"])
def test_the_readme_has_the_systems_on_binarised_mnist(row: dict[str, str]) -> None:
    name, *cells = readme_cells(row)
    assert ("prior=" in name) == (row["prior"] != "standard_normal")
    assert f"prior={row['prior']}" in name or row["prior"] == "standard_normal"
    samples = f" ({int(row['iw_samples'] or 0):,})"
    bound = f"{float(row['iw_bound']):.1f}{samples}" if row["iw_bound"] else "-"
    assert cells == [f"{-float(row['elbo']):.1f}", bound, *what_it_took(row)]


@pytest.mark.parametrize(
    "row",
    [row for row in systems_on("cifar10_folder") if row["study"] in ("codes", "deep")],
    ids=lambda row: row["row"],
)
def test_the_readme_has_the_systems_on_cifar10(row: dict[str, str]) -> None:
    numbers = [
        (row["bits_per_dim"], 2),
        (row["kl"], 0),
        (row["rec"], 2),
        (row["frechet_samples"], 1),
    ]
    _, *cells = readme_cells(row)
    assert cells == [*(f"{float(own):.{digits}f}" for own, digits in numbers), *what_it_took(row)]
