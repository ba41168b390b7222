"""Every command that the README and the pages quote can be given."""

import argparse
import importlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

from reslag_vae import options
from reslag_vae._runtime.terminal import quoted
from reslag_vae.cli import COMMANDS
from tests.docs.pages import blocks, commands, pages

HYDRA = {"train": "train", "evaluate": "evaluate"}
SCRIPTS = {"train.py": "train", "evaluate.py": "evaluate"}
MODULES = {
    "reslag_vae.export": "export",
    "reslag_vae.report": "report",
    "reslag_vae.study": "study",
}
PREFIXES = {"torchrun", "srun"}
# Of other packages of this repository, or without a subcommand
OTHER = ("python -m benchmarks.", "reslag --help")


def subcommand(words: Sequence[str]) -> tuple[str, list[str]] | None:
    """Return the subcommand that words stand for, and its arguments; None if they name none."""
    words = list(words)
    if words[0] in PREFIXES:
        start = next(index for index, word in enumerate(words) if word in SCRIPTS)
        return SCRIPTS[words[start]], words[start + 1 :]
    if words[0] == "reslag" and len(words) > 1 and not words[1].startswith("-"):
        return words[1], words[2:]
    if words[0] == "python" and words[1] in SCRIPTS:
        return SCRIPTS[words[1]], words[2:]
    if words[:2] == ["python", "-m"] and words[2] in MODULES:
        return MODULES[words[2]], words[3:]
    return None


QUOTED = [
    pytest.param(*found, id=f"{page.name}: {' '.join(words)}"[:120])
    for page in pages()
    for words in commands(page)
    if (found := subcommand(words)) is not None
]


def test_commands_are_found() -> None:
    assert len(QUOTED) > 50


def test_no_command_is_overlooked() -> None:
    lines = {
        " ".join(words) for page in pages() for words in commands(page) if not subcommand(words)
    }
    assert [line for line in lines if not line.startswith(OTHER)] == []


class ParsedError(Exception):
    """The arguments of a command have been taken."""


@pytest.mark.parametrize(("name", "arguments"), QUOTED)
def test_a_quoted_command_is_taken(
    name: str,
    arguments: list[str],
    own_groups: Path,
    compose: Callable[..., DictConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if name in HYDRA and "--help" not in arguments:
        assert compose(*first_values(arguments, own_groups), script=name)
        return
    assert name in COMMANDS
    if name not in HYDRA:
        parses(f"reslag_vae.{COMMANDS[name].module}", arguments, monkeypatch)


@pytest.fixture(scope="module")
def own_groups(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the groups that the guides show, as files."""
    project = tmp_path_factory.mktemp("project")
    for block in (block for page in pages() for block in blocks(page)):
        if block.title.startswith("my_conf/"):
            place = project / block.title
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(block.text)
    return project / "my_conf"


def parses(module: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a command parse its arguments, and do nothing more."""
    parse = argparse.ArgumentParser.parse_known_args

    def parse_and_stop(parser: argparse.ArgumentParser, *_: Any) -> None:
        assert parse(parser, arguments)[1] == []  # none is unknown
        raise ParsedError

    for method in ("parse_args", "parse_intermixed_args"):
        monkeypatch.setattr(argparse.ArgumentParser, method, parse_and_stop)
    with pytest.raises(ParsedError):
        importlib.import_module(module).main()


def first_values(arguments: list[str], own: Path) -> list[str]:
    """Return what a command of Hydra's composes for its first run."""
    words = [word for word in arguments if word != "-m"]
    if "--config-dir" in words:
        at = words.index("--config-dir")
        del words[at : at + 2]
        words.append(f"hydra.searchpath=[{quoted(f'file://{own}')}]")
    return [first_of(word) for word in options.renamed(words)]


def first_of(word: str) -> str:
    """Return an override with the first of its values, where it has several."""
    name, sign, value = word.partition("=")
    if re.fullmatch(r"[\w.-]+(,[\w.-]+)+", value):
        value = value.partition(",")[0]
    return f"{name}{sign}{value}"
