"""The command that writes a trained model as files without code.

Usage: python -m reslag_vae.export runs/mnist/vae/2026-01-31_12-00-00 exported

The files are model.safetensors, config.json and README.md, a card that says what the model is, how
good and what for, with the pictures reconstructions.png and samples.png; pictures.json,
examples.png and scores.json, which `reslag apply` reads: how pictures are fitted, some validation
images, and how these score; and samplers.safetensors, if the run was asked for samplers of its own.
`reslag_vae.load(folder)` loads the model.
"""

import argparse
import sys
from pathlib import Path

from reslag_vae._runtime.ending import ended_in_words
from reslag_vae._runtime.errors import (
    ConfigError,
    UserError,
    printable,
)
from reslag_vae._runtime.invocation import invocation
from reslag_vae._runtime.loading import loading
from reslag_vae._runtime.packages import missing
from reslag_vae._runtime.parser import Parser
from reslag_vae._runtime.terminal import prepare
from reslag_vae.runs.exported import RECONSTRUCTIONS_FILE
from reslag_vae.runs.folder import EXAMPLES_FILE
from reslag_vae.sharing.licences import HUB_LICENCES, check_licence


def add_choices(parser: argparse.ArgumentParser) -> None:
    """Add the options of what is exported of a run."""
    parser.add_argument(
        "--checkpoint", choices=("best", "last"), default="best", help="(default: %(default)s)"
    )
    parser.add_argument(
        "--license",
        type=licence,
        dest="licence",
        metavar="NAME",
        help="of the weights, for the card, such as mit or cc-by-4.0; without it the card says "
        "that none is stated",
    )
    parser.add_argument(
        "--no-examples",
        action="store_false",
        dest="examples",
        help="leave out the validation images, which may be private: examples.png and "
        "reconstructions.png",
    )
    parser.add_argument(
        "--onnx",
        action="store_true",
        help="write encoder.onnx and decoder.onnx, too, and compare them with PyTorch",
    )
    parser.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module of your own that the model is made of; may be given again",
    )


def licence(text: str) -> str:
    """Return the name of a licence."""
    try:
        return check_licence(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def shown_examples(folder: Path) -> str:
    """Return a sentence on the images of the data in an export; empty if there are none."""
    names = [name for name in (EXAMPLES_FILE, RECONSTRUCTIONS_FILE) if (folder / name).is_file()]
    if not names:
        return ""
    return f"{' and '.join(names)}: images of the validation data; --no-examples leaves them out."


def export_run(run: Path, out: Path, options: argparse.Namespace) -> None:
    """Export a run, and say what one should know of it.

    Args:
        run: folder of the run.
        out: the new folder.
        options: those of `add_choices`.

    Raises:
        UserError: the message says what is wrong.
    """
    if options.onnx:
        refuse_uninstalled()  # PyTorch takes seconds to import, and the model to read and draw
    with loading():
        from reslag_vae.sharing.export import Choices, export
        from reslag_vae.sharing.graphs import compared

    choices = Choices(options.licence, options.examples, options.onnx)
    graphs = export(run, out, options.checkpoint, options.trust, choices)
    if graphs is not None:
        print(f"{' and '.join(graphs.files)}: {compared(graphs)}", file=sys.stderr)
    if options.licence is not None and options.licence.lower() not in HUB_LICENCES:
        print(f"--license {options.licence}: no name that the hub knows.", file=sys.stderr)
    if shown_examples(out):
        print(shown_examples(out), file=sys.stderr)


def refuse_uninstalled() -> None:
    """Refuse graphs for which something is not installed.

    Raises:
        UserError: onnx or onnxscript is missing.
    """
    absent = missing(("onnx", "onnxscript"))
    if absent:
        raise UserError(f"--onnx needs {', '.join(absent)}: pip install 'reslag_vae[onnx]'")


def main() -> None:
    """Export the run that the command line names."""
    prepare()
    parser = Parser(prog=invocation("export"), description="A trained model without its run.")
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("out", type=Path, help="a new folder")
    add_choices(parser)
    options = parser.parse_args()
    with ended_in_words():
        export_run(options.run, options.out, options)
    print(printable(str(options.out)))


if __name__ == "__main__":
    main()
