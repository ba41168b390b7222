"""The installed command: reslag train | evaluate | export | apply and so on: see `COMMANDS`."""

import difflib
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from reslag_vae._runtime.errors import UserError
from reslag_vae._runtime.invocation import VARIABLE, enter, is_help
from reslag_vae.cli.extras import require

__all__ = ["main", "run"]


class Command(NamedTuple):
    """A subcommand of `reslag`.

    Attributes:
        summary: short description.
        module: module whose `main` runs the subcommand.
        composed: whether Hydra composes its configuration.
        extra: extra of the package that it needs beside the core, if any.
    """

    summary: str
    module: str
    composed: bool
    extra: str | None


COMMANDS = {
    "train": Command("train a variant on a data set", "training.main", True, "train"),
    "evaluate": Command("measure finished runs", "evaluation.command", True, "evaluate"),
    "study": Command("say how far a study is", "studies.command", False, None),
    "report": Command("write a study's report", "studies.report.command", False, "study"),
    "export": Command(
        "write a trained model as files without code", "sharing.command", False, "train"
    ),
    "push": Command("upload a trained model to Hugging Face's hub", "sharing.push", False, "hub"),
    "apply": Command("give pictures to a trained model", "apply.command", False, "apply"),
    "explore": Command("look at a trained model", "explore.command", False, "explore"),
    "dashboard": Command("make a workspace on W&B", "runs.dashboard", False, "dashboard"),
}

HELP = """Train, evaluate and compare variational autoencoders.

  reslag train model=reslag_light data=cifar10
  reslag train -m model=optimal_sigma,lagging data=mnist seed=0,1,2
  reslag evaluate run=runs/mnist/lagging/2026-01-31_12-00-00
  reslag report studies/table1
  reslag export runs/mnist/lagging/2026-01-31_12-00-00 exported
  reslag push exported user/name
  reslag apply exported photos --encode codes.csv --score scores.csv
  reslag explore exported --pictures photos --html explorer.html

Commands:

{commands}

reslag COMMAND --help tells what a command takes. Groups and experiments of your own:
reslag train --config-dir my_conf ..."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the subcommand that the command line names.

    Args:
        arguments: arguments of the command line; None for those of this process.

    Raises:
        SystemExit: with 2 if there is no such subcommand, and with the subcommand's own code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    started = os.environ.get(VARIABLE, "").partition(" ")[2]
    if "LOCAL_RANK" in os.environ and started in COMMANDS and given[:1] != [started]:
        given.insert(0, started)  # one of several devices' processes, started without the word
    if not given or given[0] in ("-h", "--help", "help"):
        lines = [f"  {name:<10}{command.summary}" for name, command in COMMANDS.items()]
        print(HELP.format(commands="\n".join(lines)))
        return
    if given[0] == "--version":
        from reslag_vae import __version__

        print(f"reslag_vae {__version__}")
        return
    name = given[0]
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        meant = f"; did you mean {near[0]}" if near else ""
        print(f"reslag {name}: there is no such command{meant}.", file=sys.stderr)
        raise SystemExit(2)
    sys.argv[1:] = given[1:]
    carry_out(name, COMMANDS[name])


def carry_out(name: str, command: Command) -> None:
    """Run a subcommand to its end.

    Raises:
        SystemExit: with 1 if the extra that it needs is not installed.
    """
    full = f"reslag {name}"
    module = f"reslag_vae.{command.module}"
    if command.composed:
        run(importlib.import_module(module).main, full)
        return
    enter(full)
    if command.extra is not None and not is_help(sys.argv[1:]):
        try:
            require(command.extra, full)
        except UserError as error:
            print(error, file=sys.stderr)
            raise SystemExit(1) from None
    importlib.import_module(module).main()


def run(function: Callable[[], object], command: str) -> None:
    """Run a function for Hydra to its end; see `door.run`."""
    from reslag_vae.cli import door

    door.run(function, command)
