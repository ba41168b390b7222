"""The command that shows a trained model: `reslag explore`."""

import argparse
import sys

from reslag_vae._runtime import process, terminal
from reslag_vae._runtime.ending import ended_in_words
from reslag_vae._runtime.errors import printable
from reslag_vae._runtime.invocation import invocation
from reslag_vae._runtime.loading import loading
from reslag_vae._runtime.parser import Parser, path, whole
from reslag_vae.explore.request import LOOPBACK, MOST, PORT, SPLITS, Request, checked_inputs
from reslag_vae.runs.hub import path_or_address

DESCRIPTION = """Look at a trained model: a map of the codes, sliders on its latent, paths between
pictures, arithmetic of classes, and samples.

  reslag explore runs/mnist/vae/2026-01-31_12-00-00
  reslag explore exported --pictures photos --open
  reslag explore runs/a runs/b --html explorer.html

The page is served at this computer alone until Ctrl-C ends it. --html writes one file instead,
which needs no server."""


def parser() -> Parser:
    """Return the parser of the command line."""
    own = Parser(
        prog=invocation("explore"),
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    own.add_argument(
        "models",
        type=path_or_address,
        nargs="+",
        metavar="model",
        help="runs, exports or checkpoints, or hf://user/name on the hub; several are shown side "
        "by side",
    )
    own.add_argument(
        "--pictures",
        type=path,
        action="extend",
        nargs="+",
        default=[],
        metavar="PATH",
        help="folders and files of pictures (default: those of the first run, or the examples of "
        "an export); folders are classes",
    )
    own.add_argument(
        "--split",
        choices=SPLITS,
        help="of a run's pictures (default: val and, where these are few, all others)",
    )
    own.add_argument(
        "--root", type=path, metavar="FOLDER", help="folder of all data sets, if it has moved"
    )
    own.add_argument(
        "--most",
        type=number_of_pictures,
        default=MOST,
        metavar="N",
        help="pictures, at most (default: %(default)s)",
    )
    own.add_argument(
        "--html", type=path, metavar="FILE", help="write one file that needs no server"
    )
    own.add_argument("--overwrite", action="store_true", help="replace the file of before")
    own.add_argument(
        "--host",
        default=LOOPBACK,
        help="address to serve at (default: %(default)s, this computer alone; 0.0.0.0 lets all of "
        "the network in)",
    )
    own.add_argument("--port", type=port, default=PORT, help="(default: %(default)s)")
    own.add_argument("--open", action="store_true", help="open the page in a browser")
    own.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module of your own that a model is made of; may be given again",
    )
    return own


def number_of_pictures(text: str) -> int:
    """Return a number of pictures, from 2 to 5,000."""
    return whole(text, 2, 5_000)


def port(text: str) -> int:
    """Return the number of a port that needs no privilege."""
    return whole(text, 1024, 65_535)


def main() -> None:
    """Do what the command line asks for.

    Raises:
        SystemExit: with 1 after an error and its message.
    """
    terminal.prepare()
    request = Request(**vars(parser().parse_intermixed_args()))
    with ended_in_words():
        run(request)


def run(request: Request) -> None:
    """Serve the page of a request, or write its file.

    Raises:
        UserError: the message says what is wrong.
    """
    inputs = checked_inputs(request)
    process.wait_briefly_in_a_crowd()
    with loading():
        from reslag_vae.evaluation.progress import progress_bar
        from reslag_vae.explore.work import read_explorers

    process.tune()
    process.allow_rounded_products(False)
    found = read_explorers(request, inputs, progress_bar)
    pictures = found[0][1].pictures
    for note in pictures.notes:
        print(printable(note), file=sys.stderr)
    print(pictures.source)
    if request.html is None:
        from reslag_vae.explore.server import serve

        serve(found, request.host, request.port, request.open)
    else:
        from reslag_vae.explore.file import write_file

        write_file(request.html, [explorer for _, explorer in found], progress_bar)
        print(printable(str(request.html)))
