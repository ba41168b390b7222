"""The terminal of a command: what is printed, what can be pasted, and how its loss is borne."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from reslag_vae._runtime.errors import printable, printable_lines
from reslag_vae._runtime.terminal import command, override, prepare

ROOT = Path(__file__).parents[3]
PARSER = OverridesParser.create()
SPECIAL = "\\'\"${}[](),= /~*:;@%#!äab"
TEXTS = st.text(
    st.sampled_from(SPECIAL) | st.characters(exclude_categories=("Cs", "Cc")), max_size=30
)
# As a command would: through rich and logging, too, and something still unwritten at the end of the
# process.
TALK = """
import logging, os, sys
from reslag_vae._runtime import terminal
terminal.prepare()
from rich.console import Console
logging.basicConfig(stream=sys.stdout, level=logging.INFO)
console = Console()
for number in range(100):  # more than a pipe holds
    print("1 · β", number, "-" * 1000)
    console.print("2 · β", number)
    logging.getLogger().info("3 · β %d", number)
with open(sys.argv[1], "w") as file:
    print("done", file=file)
print("at the end")
"""


def talk(tmp_path: Path, redirection: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """What a shell makes of a process that prints much; it must have come to its end."""
    script, end = tmp_path / "talk.py", tmp_path / "end"
    script.write_text(TALK)
    # Of a pipe the exit code is the first command's.
    line = f"set -o pipefail; {command(sys.executable, str(script), str(end))} {redirection}"
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    process = subprocess.run(["bash", "-c", line], capture_output=True, env=environment, timeout=60)
    assert end.read_text() == "done\n"
    return process


@pytest.mark.parametrize("redirection", ["| head -1", "> /dev/full", "| true"])
def test_a_lost_output_is_told_once_and_ends_nothing(tmp_path: Path, redirection: str) -> None:
    if "/dev/full" in redirection and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    process = talk(tmp_path, redirection)
    assert process.returncode == 0
    assert process.stderr.decode().count("\n") == 1
    assert process.stderr.startswith(b"Nothing more is shown on standard output (")


@pytest.mark.parametrize(
    "redirection", [">&-", "<&- >&- 2>&-", "2>&- | head -1", "2> /dev/full > /dev/full"]
)
def test_closed_streams_end_nothing(tmp_path: Path, redirection: str) -> None:
    process = talk(tmp_path, redirection)
    assert process.returncode == 0
    assert process.stderr == b""


@pytest.mark.parametrize(
    "variables", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}]
)
def test_letters_that_the_terminal_lacks_are_escapes(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    process = talk(tmp_path, "", PYTHONCOERCECLOCALE="0", **variables)
    assert (process.returncode, process.stderr) == (0, b"")
    assert process.stdout.startswith(rb"1 \xb7 \u03b2 0")
    assert process.stdout.endswith(b"at the end\n")


def test_the_streams_of_others_are_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    prepare()
    assert sys.stdout is before
    print("shown")
    assert capsys.readouterr().out == "shown\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain käse 猫", "plain käse 猫"),
        ("c\x1b[2J.png", "c\\x1b[2J.png"),
        ("a\nb\t\x00\x7f\x9b", "a\\nb\\t\\x00\\x7f\\x9b"),
        (os.fsdecode(b"k\xe4se"), "k\\udce4se"),
    ],
)
def test_control_characters_are_shown(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_the_lines_of_a_message_are_left() -> None:
    assert printable_lines("a\n  b\x1b[2J\n") == "a\n  b\\x1b[2J\n"


@given(TEXTS)
@example("/p/Photos (1)")
@example("null")
@example("1e3")
@example("")
@example("a\\${b}\\'\\")
def test_a_printed_command_gives_the_path_back(text: str) -> None:
    """Through the shell, Hydra's grammar and OmegaConf's interpolations."""
    name, pasted = shlex.split(command("train.py", override("resume", text)))
    read = PARSER.parse_override(pasted).value()
    assert name == "train.py"
    assert OmegaConf.create({"resume": getattr(read, "text", read)}).resume == text


def test_other_paths_are_quoted_for_hydra_and_for_the_shell() -> None:
    assert (
        command("train.py", override("resume", "/p/Photos (1)"))
        == "train.py 'resume=\"/p/Photos (1)\"'"
    )


def test_plain_paths_are_not_quoted() -> None:
    words = command(
        "python", "train.py", override("resume", Path("runs/mnist/2026-01-31_12-00-00"))
    )
    assert words == "python train.py resume=runs/mnist/2026-01-31_12-00-00"
