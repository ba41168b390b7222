"""The command that uploads a trained model to the hub of Hugging Face: `reslag push`."""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from reslag_vae import __version__
from reslag_vae._runtime.ending import ended_in_words
from reslag_vae._runtime.errors import (
    ConfigError,
    UserError,
    printable,
)
from reslag_vae._runtime.invocation import invocation
from reslag_vae._runtime.packages import missing
from reslag_vae._runtime.parser import Parser
from reslag_vae._runtime.terminal import prepare
from reslag_vae.runs.exported import is_export
from reslag_vae.runs.hub import PREFIX, is_repository
from reslag_vae.sharing.command import add_choices, export_run, shown_examples
from reslag_vae.sharing.upload import Upload, check_place, files_of, upload

DESCRIPTION = """Upload a trained model to the hub of Hugging Face.

  hf auth login
  reslag push runs/mnist/vae/2026-01-31_12-00-00 user/name --license mit
  reslag push exported user/name --public

It is private unless --public is given. A run is exported first; the options of an export are for
runs alone."""


def parser() -> Parser:
    """Return the parser of the command line."""
    own = Parser(
        prog=invocation("push"),
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    own.add_argument("model", type=Path, help="the folder of a run or of an export")
    own.add_argument("repository", type=repository, help="user/name on the hub")
    own.add_argument("--public", action="store_true", help="everyone may see and load it")
    own.add_argument(
        "--message",
        default=f"Trained model, by reslag_vae {__version__}",
        help="of the commit (default: %(default)s)",
    )
    add_choices(own)
    return own


def repository(text: str) -> str:
    """Return the name of a repository."""
    name = text.removeprefix(PREFIX)
    if not is_repository(name):
        raise argparse.ArgumentTypeError(f"{text}: user/name is wanted")
    return name


def main() -> None:
    """Upload the model that the command line names."""
    prepare()
    own = parser()
    options = own.parse_args()
    with ended_in_words():
        push(options)


def push(options: argparse.Namespace) -> None:
    """Upload a model, and say what and where to.

    Raises:
        UserError: the message says what is wrong.
    """
    folder: Path = options.model
    if is_export(folder):
        refuse_choices(options)
        check_place(options.repository, options.public)
        if shown_examples(folder):
            print(shown_examples(folder), file=sys.stderr)
        send(folder, options)
        return
    require_training(folder)
    check_place(options.repository, options.public)
    with TemporaryDirectory() as scratch:
        out = Path(scratch) / options.repository.partition("/")[2]
        export_run(folder, out, options)
        send(out, options)


def refuse_choices(options: argparse.Namespace) -> None:
    """Refuse the options of a run's export where there is an export already.

    Raises:
        ConfigError: the message names the option.
    """
    usual = parser().parse_args([str(options.model), options.repository])
    names = {
        "checkpoint": "--checkpoint",
        "licence": "--license",
        "examples": "--no-examples",
        "onnx": "--onnx",
        "trust": "--trust",
    }
    for name, option in names.items():
        if getattr(options, name) != getattr(usual, name):
            raise ConfigError(
                f"{option}: is for a run, and {options.model} is an export: give it to "
                f"{invocation('export')}."
            )


def require_training(folder: Path) -> None:
    """Refuse a run where what exports it is not installed.

    Raises:
        UserError: it is not installed, or there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such run or export.")
    absent = missing(("lightning", "matplotlib"))
    if absent:
        raise UserError(
            f"{folder} is not an export, and exporting a run needs {', '.join(absent)}: pip "
            "install 'reslag_vae[train]'"
        )


def send(folder: Path, options: argparse.Namespace) -> None:
    """Upload an export, and say what and where to.

    Raises:
        RunError: the hub does not take it.
    """
    what = Upload(options.repository, options.public, options.message)
    files = files_of(folder, options.repository)
    for name, content in files.items():
        print(f"{len(content):>12,} bytes  {name}")
    total = sum(map(len, files.values()))
    whose = "public" if options.public else "private"
    print(f"{total:>12,} bytes  to {options.repository}, {whose}", flush=True)
    print(printable(upload(files, what)))


if __name__ == "__main__":
    main()
