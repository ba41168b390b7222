"""A command ends in words, whatever stops it."""

import importlib
import inspect
import signal

import pytest

from reslag_vae._runtime.ending import ended_in_words
from reslag_vae._runtime.errors import ConfigError
from reslag_vae.cli import COMMANDS

OWN = [name for name, command in COMMANDS.items() if not command.composed]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConfigError("--size=7: is odd"), "--size=7: is odd"),
        (PermissionError(13, "Permission denied", "/etc/x"), "/etc/x cannot be read or written"),
    ],
)
def test_what_the_user_can_mend_is_a_sentence(
    error: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, ended_in_words():
        raise error
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(said)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_a_word(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, ended_in_words():
        signal.raise_signal(number)
    assert ended.value.code == 128 + number
    assert capsys.readouterr().err == "Stopped.\n"


def test_what_is_a_fault_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), ended_in_words():
        _ = 1 / 0


def test_there_are_commands() -> None:
    assert {"apply", "explore", "export", "push", "report", "study", "dashboard"} == set(OWN)


@pytest.mark.parametrize("name", OWN)
def test_every_command_ends_so(name: str) -> None:
    module = importlib.import_module(f"reslag_vae.{COMMANDS[name].module}")
    assert "with ended_in_words():" in inspect.getsource(module.main)
