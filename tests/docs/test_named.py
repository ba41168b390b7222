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


def test_the_readme_has_the_numbers_of_the_table_of_all_systems() -> None:
    with (ROOT / "experiments" / "systems.csv").open(encoding="utf-8") as file:
        found = [row for row in csv.DictReader(file) if row["data"] == "binarized_mnist"]
    readme = (ROOT / "README.md").read_text()
    for row in found:
        prior = "" if row["prior"] == "standard_normal" else f" `prior={row['prior']}`"
        bound = f"{float(row['iw_bound']):.1f}" if row["iw_bound"] else "-"
        assert f"| `{row['model']}`{prior} | {-float(row['elbo']):.1f} | {bound} " in readme
