"""The installed command: its help, its words, and what it says where something is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from reslag_vae import __version__, cli
from reslag_vae._runtime.invocation import (
    VARIABLE,
    configuration_folder,
    enter,
    invocation,
    is_running,
)

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


def test_an_extra_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'lightning'", name="lightning")

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(SystemExit):
        cli.main(["train"])
    assert capsys.readouterr().err == (
        "reslag train: lightning is not installed: pip install 'reslag_vae[train]'.\n"
    )


def test_messages_name_the_command_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    assert invocation("train") == "python train.py"
    enter("reslag train")
    assert (invocation("train"), invocation("evaluate")) == ("reslag train", "reslag evaluate")
    assert is_running("train")
    assert not is_running("evaluate")
    enter("python evaluate.py")
    assert is_running("evaluate")


def test_the_configuration_is_that_of_the_checkout() -> None:
    assert configuration_folder() == ROOT / "conf"


def test_help_of_training_names_this_command_and_the_choices(tmp_path: Path) -> None:
    done = reslag("train", "--help", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "reslag train model=reslag_light data=cifar10" in done.stdout
    assert "model: autoencoder, beta_vae," in done.stdout
    assert "train.py" not in done.stdout


def test_a_wrong_option_is_one_sentence(tmp_path: Path) -> None:
    done = reslag("train", "model=beta_vea", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "model=beta_vea: there is no such choice; did you mean model=beta_vae."
    )
    assert list(tmp_path.iterdir()) == []
