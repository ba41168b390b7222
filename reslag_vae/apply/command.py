"""The command that gives pictures to a trained model: `reslag apply`."""

import argparse
import math
import sys
from pathlib import Path

from reslag_vae._runtime import process, terminal
from reslag_vae._runtime.ending import ended_in_words
from reslag_vae._runtime.errors import printable
from reslag_vae._runtime.invocation import invocation
from reslag_vae._runtime.loading import loading
from reslag_vae._runtime.parser import Parser, path, whole
from reslag_vae.apply.request import SAMPLERS, Request, checked_inputs
from reslag_vae.runs.hub import path_or_address

# Exit code of a command that has done its work but for files that it could not read
INCOMPLETE = 3

# Files named in a message
MOST_NAMED = 100

DESCRIPTION = """Give pictures to a trained model.

  reslag apply runs/mnist/vae/2026-01-31_12-00-00 photos --encode codes.parquet
  reslag apply exported photos --score scores.csv --odd broken
  reslag apply exported photos --reconstruct out --neighbours 5
  reslag apply exported photos --sample 64 --sampler mixture

Pictures of any size are fitted as in training. Files that cannot be read are named at the end, and
the exit code is then 3. All options can be given at once."""

SCORES = """Scores, the higher the odder:
  squared_error              sum, over the pixels and channels of an image, of the squared
                             differences to its reconstruction; pixels from 0 to 1
  minus_log_p_nats           upper bound on -log p(picture), in nats
  ..._percentile             percentage of the model's validation images with a lower score
  odd                        1 for pictures that --odd or --labels call odd, 0 for others; the area
                             under the ROC curve (AUROC) of each score is then printed: 0.5 is
                             chance, 1 a perfect separation"""


def parser() -> Parser:
    """Return the parser of the command line."""
    own = Parser(
        prog=invocation("apply"),
        description=DESCRIPTION,
        epilog=SCORES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    own.add_argument(
        "model",
        type=path_or_address,
        help="a run, an export or a checkpoint, or hf://user/name on the hub",
    )
    own.add_argument("pictures", type=path, nargs="*", default=[], help="folders and files")
    add_tables(own)
    add_drawings(own)
    add_sampling(own)
    own.add_argument(
        "--given",
        action="append",
        default=[],
        metavar="NAME",
        help="what a conditional model is told of all pictures and samples: a class, or an "
        "attribute, of which there may be several. Without it, pictures are of the class that "
        "their folder is named by, or else of the likeliest; samples of one class after the other",
    )
    own.add_argument("--overwrite", action="store_true", help="replace files of before")
    own.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module of your own that the model is made of; may be given again",
    )
    return own


def add_tables(own: Parser) -> None:
    """Add the options of tables: codes and scores."""
    own.add_argument(
        "--encode",
        type=path,
        metavar="FILE",
        help="write the codes: .parquet, .npz or .csv. Columns file and z1, z2, ... (posterior "
        "means), or code1, ... (numbers of codes, row by row) of a VQ model; level1_z1, ... of "
        "several levels. In npz: arrays file and z, code or level1_z, ...",
    )
    own.add_argument(
        "--score",
        type=path,
        metavar="FILE",
        help="write how ill each picture fits the model: .csv, .npz or .parquet; see below",
    )
    own.add_argument(
        "--odd",
        action="append",
        default=[],
        metavar="LABEL",
        help="the label of odd pictures: a folder that they lie in, or a label of --labels; may "
        "be given again",
    )
    own.add_argument(
        "--labels",
        type=path,
        metavar="FILE",
        help="labels by file: CSV with the columns file and label; without --odd, 1 is odd and 0 "
        "is not",
    )


def add_drawings(own: Parser) -> None:
    """Add the options of what is drawn of pictures, and where it goes."""
    own.add_argument(
        "--reconstruct",
        type=path,
        metavar="FOLDER",
        help="write each picture's reconstruction under its name as PNG, and _overview.png",
    )
    own.add_argument(
        "--neighbours",
        type=count,
        default=0,
        metavar="K",
        help="write the K nearest others of each picture, by the Euclidean distance of codes: "
        "neighbours.csv and neighbours.png",
    )
    own.add_argument(
        "--out",
        type=path,
        default=Path("applied"),
        metavar="FOLDER",
        help="of neighbours and samples (default: %(default)s)",
    )


def add_sampling(own: Parser) -> None:
    """Add the options of samples."""
    own.add_argument(
        "--sample",
        type=count,
        default=0,
        metavar="N",
        help="draw N images: samples_<sampler>/ and a grid of the first 64",
    )
    own.add_argument(
        "--sampler",
        choices=SAMPLERS,
        default="prior",
        help="where their latents come from: the model's own prior, or 10 Gaussians, a flow "
        "or a second VAE, fitted to the codes of the pictures; without pictures, to those of the "
        "training images, and kept with the run for its exports (default: %(default)s)",
    )
    own.add_argument(
        "--temperature",
        type=temperature,
        default=1.0,
        metavar="T",
        help="of the samples: factor of the standard deviations of their latents, of all levels "
        "(default: %(default)s)",
    )
    own.add_argument("--seed", type=seed, default=0, help="of the samples (default: %(default)s)")


def count(text: str) -> int:
    """Return a number of things, from 1 to 100,000."""
    return whole(text, 1, 100_000)


def seed(text: str) -> int:
    """Return a seed."""
    return whole(text, 0, 2**32 - 1)


def temperature(text: str) -> float:
    """Return a temperature."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1e6:
        raise argparse.ArgumentTypeError(f"{text}: a number from 0 to 1,000,000 is wanted")
    return number


def main() -> None:
    """Do what the command line asks for.

    Raises:
        SystemExit: with 1 after an error and its message, and with 3 if files could not be read.
    """
    terminal.prepare()
    request = Request(**vars(parser().parse_intermixed_args()))
    with ended_in_words():
        unreadable = run(request)
    if unreadable:
        raise SystemExit(INCOMPLETE)


def run(request: Request) -> int:
    """Carry out a request, print what was written, and return how many files were not read.

    Raises:
        UserError: the message says what is wrong.
    """
    inputs = checked_inputs(request)
    process.wait_briefly_in_a_crowd()
    with loading():
        from reslag_vae.apply.work import apply
        from reslag_vae.evaluation.progress import progress_bar

    process.tune()
    process.allow_rounded_products(False)  # as the scores that those of pictures are compared with
    report = apply(request, inputs, progress_bar)
    for note in report.notes:
        print(printable(note), file=sys.stderr)
    if inputs is not None:
        print(f"{report.read:,} pictures of {printable(str(inputs.base))}")
    for written in request.written:
        print(printable(str(written)))
    for name, value in report.auroc.items():
        print(f"AUROC of {name}: {value:.3f}")
    if report.oddest:
        print(f"oddest: {', '.join(map(printable, report.oddest))}")
    if report.unreadable:
        print(f"{len(report.unreadable):,} files could not be read:", file=sys.stderr)
        for name, reason in list(report.unreadable.items())[:MOST_NAMED]:
            print(printable(f"  {name}: {reason}"), file=sys.stderr)
        if len(report.unreadable) > MOST_NAMED:
            print(f"  and {len(report.unreadable) - MOST_NAMED:,} more", file=sys.stderr)
    return len(report.unreadable)
