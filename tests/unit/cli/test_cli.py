"""The installed command: its help, its words, and what it says where something is missing."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hydra.errors import MissingConfigException

from reslag_vae import __version__, cli, options
from reslag_vae._runtime import packages
from reslag_vae._runtime.invocation import (
    VARIABLE,
    configuration_folder,
    enter,
    invocation,
    running,
)
from reslag_vae.cli import extras
from reslag_vae.cli.door import flags_last
from reslag_vae.cli.help import help_text
from reslag_vae.cli.sentences import sentence, unknown_flag

ROOT = Path(__file__).parents[3]


def reslag(*arguments: str, folder: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """Run the command in a process of its own."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from reslag_vae.cli import main; main()"
    words = [sys.executable, "-c", code, *arguments]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


def test_help_names_every_command_and_loads_neither_hydra_nor_torch() -> None:
    code = (
        "import sys; from reslag_vae.cli import main; main(['--help']); "
        "assert not {'hydra', 'torch', 'omegaconf'} & sys.modules.keys()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in cli.COMMANDS:
        assert f"  {name} " in done.stdout


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main([])
    assert "reslag train" in capsys.readouterr().out


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["--version"])
    assert capsys.readouterr().out == f"reslag_vae {__version__}\n"


def test_a_command_that_is_not_there_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["trian"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "reslag trian: there is no such command; did you mean train.\n"
    )


@pytest.mark.parametrize(
    ("command", "prefix"),
    [
        (["export", "run", "exported"], "--check"),
        (["push", "run", "user/name"], "--mess"),
        (["apply", "run", "photos"], "--enc"),
        (["explore", "run"], "--pict"),
        (["report", "study"], "--o"),
        (["dashboard", "--entity", "me"], "--proj"),
        (["study", "study"], "--he"),
    ],
)
def test_a_prefix_of_an_option_is_none_and_one_sentence_says_so(
    command: list[str],
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cli, "require", lambda extra, name: None)
    monkeypatch.setattr(sys, "argv", ["reslag"])
    monkeypatch.setenv(VARIABLE, "")
    with pytest.raises(SystemExit) as ended:
        cli.main([*command, f"{prefix}=x"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (f"reslag {command[0]}: unrecognized arguments: {prefix}=x\n")


@pytest.mark.parametrize(
    ("command", "extra", "module"),
    [
        ("train", "train", "lightning"),
        ("evaluate", "evaluate", "lightning"),
        ("report", "study", "lightning"),
        ("export", "train", "lightning"),
        ("push", "hub", "huggingface_hub"),
        ("apply", "apply", "PIL"),
        ("explore", "explore", "PIL"),
    ],
)
def test_an_extra_that_is_missing_is_named_before_anything_is_done(
    command: str,
    extra: str,
    module: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(packages, "is_installed", lambda name: name != module)
    monkeypatch.setattr(sys, "argv", ["reslag"])
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        cli.main([command])
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        f"reslag {command} needs {module}: pip install 'reslag_vae[{extra}]'\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_what_the_extras_bring_is_what_commands_look_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert extras.MODULES.keys() <= project["optional-dependencies"].keys()
    assert set(extras.PLUGINS.values()) <= project["optional-dependencies"].keys()
    for extra, names in extras.MODULES.items():
        wanted = {
            "sklearn": "scikit-learn",
            "PIL": "pillow",
            "wandb_workspaces": "wandb-workspaces",
        }
        brought = brought_by(extra, project["optional-dependencies"])
        assert {wanted.get(name, name) for name in names} <= brought


def test_the_quick_start_says_which_extras_all_leaves_out() -> None:
    extras_of = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    table = re.findall(r"^\| (`.*?) \| (.*) \|$", (ROOT / "docs/quick_start.md").read_text(), re.M)
    told = {name for names, _ in table for name in re.findall(r"`(\w+)`", names)} - {"all"}
    brought = brought_by("all", extras_of)
    left_out = {name for name in told if not brought_by(name, extras_of) <= brought}
    assert set(re.findall(r"`(\w+)`", dict(table)["`all`"])) == left_out


def brought_by(extra: str, extras_of: dict[str, list[str]]) -> set[str]:
    """Names of the distributions that an extra installs, by itself or by another of its own."""
    names: set[str] = set()
    for requirement in extras_of[extra]:
        other = re.fullmatch(r"reslag_vae\[(.*)\]", requirement)
        if other:
            for part in other[1].split(","):
                names |= brought_by(part, extras_of)
        else:
            names.add(re.split(r"[><=]", requirement)[0])
    return names


def test_a_launcher_that_is_not_installed_is_named_with_its_extra() -> None:
    missing = MissingConfigException("", "hydra/launcher/submitit_slurm", ["basic"])
    assert sentence(missing, []) == (
        "hydra/launcher=submitit_slurm needs: pip install 'reslag_vae[submitit]'"
    )


def test_messages_name_the_command_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    assert invocation("train") == "python train.py"
    enter("reslag train")
    assert (invocation("train"), invocation("evaluate")) == ("reslag train", "reslag evaluate")
    assert running() == "train"
    enter("python evaluate.py")
    assert running() == "evaluate"


def test_the_configuration_is_that_of_the_checkout() -> None:
    assert configuration_folder() == ROOT / "conf"


def test_help_of_training_names_this_command_and_the_choices(tmp_path: Path) -> None:
    done = reslag("train", "--help", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "reslag train model=reslag_light data=cifar10" in done.stdout
    assert "model: autoencoder, beta_vae," in done.stdout
    assert "train.py" not in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--help"),
        ("evaluate", "--help"),
        ("train", "model=beta_vea"),
        ("train", "seed=-1"),
        ("evaluate", "run=x", "samples=0"),
        ("apply", "--help"),
        ("export", "--help"),
        ("push", "--help"),
        ("apply", "gone", "pictures", "--encode", "c.csv"),
        ("explore", "gone", "--html", "page.html"),
    ],
)
def test_help_and_slips_are_answered_before_pytorch_is_loaded(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    code = (
        "import atexit, sys\n"
        "from reslag_vae.cli import main\n"
        "atexit.register(lambda: print('torch' in sys.modules))\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("False\n"), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_of_evaluations_says_what_every_option_is() -> None:
    text = help_text("evaluate", ["--help"])
    listed = set(re.findall(r"^ {2,}(\w+) +\S", text, re.MULTILINE))
    assert set(options.EVALUATE) | {"logger"} <= listed


@pytest.mark.parametrize(
    "named", [["--config-dir", "{}"], ['hydra.searchpath=["file://{}"]']], ids=["dir", "path"]
)
def test_help_shows_the_values_of_the_command_and_groups_of_ones_own(
    named: list[str], tmp_path: Path
) -> None:
    (tmp_path / "own's [1]" / "model").mkdir(parents=True)
    own = tmp_path / "own's [1]"
    (own / "model" / "mine.yaml").write_text("# @package _global_\ndefaults: [vae, _self_]\n")
    words = [word.format(own) for word in named]
    text = help_text("train", ["-m", "--help", *words, "model=mine", "seed=7"])
    (models,) = re.findall(r"^model: (.*)$", text, re.MULTILINE)
    assert "mine" in models.split(", ")
    assert {"vae", "lagging"} <= set(models.split(", "))
    assert "\nseed: 7\n" in text
    assert "hydra:\n" not in text


def test_a_wrong_option_is_one_sentence(tmp_path: Path) -> None:
    done = reslag("train", "model=beta_vea", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "model=beta_vea: there is no such choice; did you mean model=beta_vae."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_place_of_the_packages_is_told_how_it_is_added(tmp_path: Path) -> None:
    done = reslag("train", "--config-path", "mine", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("--config-path=mine: takes the place of ")
    assert "--config-dir=mine adds choices of your own" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("model=vae -m seed=1,2 data=digits", "model=vae seed=1,2 data=digits -m"),
        ("seed=1 --cfg job seed=1 -p data seed=2", "seed=1 seed=1 seed=2 --cfg job -p data"),
        ("-m model=vae seed=1,2", "-m model=vae seed=1,2"),
        ("model=vae seed=1,2 -m", "model=vae seed=1,2 -m"),
        ("seed=1 --data digits", "seed=1 --data digits"),
        ("", ""),
    ],
)
def test_flags_may_stand_between_other_arguments(given: str, taken: str) -> None:
    assert flags_last(given.split()) == taken.split()


def test_a_multirun_may_be_asked_for_in_the_middle(tmp_path: Path) -> None:
    done = reslag("train", "data=digits", "-m", "seed=-1", "logger=none", folder=tmp_path)
    assert done.stderr.endswith("seed=-1: must be a whole number from 0 to 4294967295.\n")


def test_hydras_own_flags_may_stand_beside_help(tmp_path: Path) -> None:
    text = help_text("train", ["--config-name", "evaluate", "-m", "--help"])
    assert "K of the importance-weighted bound" in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--data", "photos"], "--data: options are name=value, without dashes; write data=VALUE."),
        (["--seed=3"], "--seed=3: options are name=value, without dashes; write seed=VALUE."),
        (
            ["--folder", "photos"],
            "--folder: options are name=value, without dashes; did you mean data.folder.",
        ),
        (["-x"], "-x: options are name=value, without dashes."),
        (["-m", "--config-dir", "mine", "seed=0,1"], None),
        (["--multirun", "data.batch_size=-3"], None),
    ],
)
def test_dashes_that_hydra_does_not_know_are_one_sentence(
    arguments: list[str], expected: str | None
) -> None:
    assert unknown_flag(arguments) == expected
