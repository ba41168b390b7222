"""What the command line asks for, checked before PyTorch is loaded."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from reslag_vae._runtime.errors import ConfigError, printable
from reslag_vae._runtime.packages import is_installed
from reslag_vae.apply.inputs import Inputs, find_inputs
from reslag_vae.apply.labels import notes_on_labels, odd_ones
from reslag_vae.runs.checkpoints import checkpoint_path
from reslag_vae.runs.folder import WEIGHTS_FILE
from reslag_vae.runs.hub import HubAddress

SAMPLERS = ("prior", "mixture", "flow", "two_stage")

# Pictures that a sampler is fitted to, at least
FEWEST = {"mixture": 10, "flow": 512, "two_stage": 512}

TABLES = (".csv", ".npz", ".parquet")

# Marks a folder that this command has written: `data.own_folders` knows it.
REPORT = "applied.json"

# What it gets there
RECONSTRUCTIONS, NEIGHBOURS = "reconstructions", "neighbours"
NEIGHBOURS_CSV, NEIGHBOURS_PNG = f"{NEIGHBOURS}.csv", f"{NEIGHBOURS}.png"


class Request(NamedTuple):
    """What is to be done with which pictures.

    Attributes:
        model: folder of a run or an export, or file of a checkpoint; or an export on the hub.
        pictures: folders and files.
        encode: file of the codes, if any.
        reconstruct: folder of the reconstructions, if any.
        score: file of the scores, if any.
        odd: labels of odd pictures.
        labels: CSV file of labels, if any.
        neighbours: number of neighbours; 0 for none.
        sample: number of samples; 0 for none.
        sampler: sampler of these; fitted to the pictures, if there are any.
        temperature: temperature of these.
        given: class or attributes of all pictures and samples, for a conditional model.
        seed: seed of these.
        out: folder of neighbours and samples.
        overwrite: whether files of before may be replaced.
        trust: modules of the user's own that the model may be made of.
    """

    model: Path | HubAddress
    pictures: Sequence[Path] = ()
    encode: Path | None = None
    reconstruct: Path | None = None
    score: Path | None = None
    odd: Sequence[str] = ()
    labels: Path | None = None
    neighbours: int = 0
    sample: int = 0
    sampler: str = "prior"
    temperature: float = 1.0
    given: Sequence[str] = ()
    seed: int = 0
    out: Path = Path("applied")
    overwrite: bool = False
    trust: Sequence[str] = ()

    @property
    def fits(self) -> bool:
        """Whether a sampler is fitted to the pictures."""
        return self.sample > 0 and self.sampler != "prior" and bool(self.pictures)

    @property
    def reads(self) -> bool:
        """Whether pictures are read."""
        return bool(self.encode or self.reconstruct or self.score or self.neighbours or self.fits)

    @property
    def tables(self) -> dict[str, Path]:
        """The files of tables by their option."""
        named = {"--encode": self.encode, "--score": self.score}
        return {option: path for option, path in named.items() if path is not None}

    @property
    def files(self) -> dict[str, Path]:
        """The files to write by their option."""
        named = self.tables
        if self.neighbours:
            named["--neighbours"] = self.out / NEIGHBOURS_CSV
        if self.sample:
            named["--sample"] = self.out / f"{self.samples}.png"
        return named

    @property
    def samples(self) -> str:
        """The name of the samples, as one of `folders`."""
        return f"samples_{self.sampler}"

    @property
    def folders(self) -> dict[str, Path]:
        """The folders that are written, by the name of what each gets."""
        found = {}
        if self.reconstruct is not None:
            found[RECONSTRUCTIONS] = self.reconstruct
        if self.neighbours:
            found[NEIGHBOURS] = self.out
        if self.sample:
            found[self.samples] = self.out
        return found

    @property
    def written(self) -> list[Path]:
        """The files and folders that are written, as they are shown."""
        shown = list(self.tables.values())
        if self.reconstruct is not None:
            shown.append(self.reconstruct)
        if self.neighbours:
            shown += [self.out / NEIGHBOURS_CSV, self.out / NEIGHBOURS_PNG]
        if self.sample:
            shown += [self.out / self.samples, self.files["--sample"]]
        return shown


def checked_inputs(request: Request) -> Inputs | None:
    """Return the pictures that a request names; None if none are read.

    Raises:
        ConfigError: an option is wrong, the message names it; or there is no picture.
        DataError: a folder cannot be read.
    """
    check_words(request)
    check_outputs(request)
    if isinstance(request.model, Path):
        check_model(request.model)
    if not request.reads:
        return None
    inputs = find_inputs(request.pictures)
    check_count(request, len(inputs.files))
    odd = odd_ones(request.odd, request.labels, inputs.names)
    notes = [] if request.labels is None else notes_on_labels(request.labels, inputs.names)
    return inputs._replace(odd=odd, notes=[*inputs.notes, *notes])


def check_model(path: Path) -> None:
    """Refuse a path that holds no model.

    Raises:
        ConfigError: there is nothing.
        RunError: the folder is neither a run nor an export.
    """
    if not os.path.exists(path):
        raise ConfigError(f"{printable(str(path))}: there is no such run, export or checkpoint.")
    if path.is_dir() and not (path / WEIGHTS_FILE).is_file():
        checkpoint_path(path, "best")


def check_count(request: Request, count: int) -> None:
    """Refuse what takes more pictures than there are.

    Raises:
        ConfigError: the message names the option.
    """
    check_neighbours(request.neighbours, count)
    fewest = FEWEST[request.sampler] if request.fits else 0
    if count < fewest:
        raise ConfigError(
            f"--sampler {request.sampler}: is fitted to at least {fewest} pictures, and there are "
            f"{count}."
        )


def check_neighbours(neighbours: int, count: int) -> None:
    """Refuse more neighbours than a picture has others.

    Args:
        neighbours: number of neighbours; 0 for none.
        count: number of pictures.

    Raises:
        ConfigError: the message names the option.
    """
    if neighbours and count <= neighbours:
        raise ConfigError(
            f"--neighbours {neighbours}: takes at least {neighbours + 1} pictures, and there are "
            f"{count}."
        )


def check_words(request: Request) -> None:
    """Refuse options that do not go together.

    Raises:
        ConfigError: the message names the option.
    """
    if not request.reads and not request.sample:
        raise ConfigError(
            "Nothing is asked for: add --encode, --reconstruct, --score, --neighbours or --sample."
        )
    if request.reads and not request.pictures:
        raise ConfigError(
            "Pictures are missing: name a folder or files after the model. Without pictures there "
            "is --sample N."
        )
    if request.pictures and not request.reads:
        raise ConfigError(
            "--sampler prior: takes no pictures; mixture, flow and two_stage are fitted to them."
        )
    if request.fits:
        check_installed(request.sampler)
    refuse_idle(request)
    if request.labels is not None and not request.labels.is_file():
        raise ConfigError(f"--labels {printable(str(request.labels))}: there is no such file.")


def refuse_idle(request: Request) -> None:
    """Refuse an option that changes nothing without the one that it is of.

    Raises:
        ConfigError: the message names both.
    """
    usual = Request(request.model)
    of_samples = ("sampler", "temperature", "seed")
    idle = {} if request.sample else dict.fromkeys(of_samples, "--sample, which is missing")
    if request.score is None:
        idle |= dict.fromkeys(("odd", "labels"), "--score, which is missing")
    if not request.sample and not request.neighbours:
        idle["out"] = "--neighbours and --sample, which are missing"
    for name, wanted in idle.items():
        if getattr(request, name) not in (getattr(usual, name), []):
            raise ConfigError(f"--{name}: is for {wanted}.")


def check_installed(sampler: str) -> None:
    """Refuse to fit a sampler without the package that does it.

    Raises:
        ConfigError: the message says how to install it.
    """
    if sampler == "mixture" and not is_installed("sklearn"):
        raise ConfigError("--sampler mixture needs scikit-learn: pip install 'reslag_vae[apply]'")


def check_outputs(request: Request) -> None:
    """Refuse what cannot be written, or must not.

    Raises:
        ConfigError: the message names the option.
    """
    for option, path in request.tables.items():
        if path.suffix.lower() not in TABLES:
            raise ConfigError(
                f"{option} {printable(str(path))}: a file that ends in .csv, .npz or .parquet is "
                "wanted."
            )
        if path.suffix.lower() == ".parquet" and not is_installed("pyarrow"):
            raise ConfigError(
                f"{option} {printable(str(path))}: needs pyarrow: pip install 'reslag_vae[apply]'; "
                ".npz and .csv do without."
            )
    owners: dict[str, str] = {}
    for option, path in request.files.items():
        other = owners.setdefault(os.path.abspath(path), option)
        if other != option:
            raise ConfigError(
                f"{other}, {option}: {printable(str(path))} would be both; give each a file of its "
                "own."
            )
    refuse_folders(request)
    for option, path in request.files.items():
        refuse_place(option, path, request.overwrite)
    folder = request.out / request.samples
    # Also where their grid has been moved away
    if request.sample and not request.overwrite and samples_in(folder):
        raise ConfigError(
            f"--sample {printable(str(folder))}: holds samples already; add --overwrite to replace "
            "them."
        )


def samples_in(folder: Path) -> list[Path]:
    """Return the samples in a folder, which need not be there: pictures named by a number."""
    return [path for path in folder.glob("*.png") if path.stem.isdecimal()]


def refuse_place(option: str, path: Path, overwrite: bool) -> None:
    """Refuse a file that is there already, or that cannot be written."""
    shown = f"{option} {printable(str(path))}"
    if path.is_dir():
        raise ConfigError(f"{shown}: is a folder.")
    if os.path.lexists(path) and not overwrite:
        raise ConfigError(f"{shown}: is there already; add --overwrite to replace it.")
    refuse_unwritable(shown, path.parent)


def refuse_folders(request: Request) -> None:
    """Refuse folders of results that hold anything else, or are those of the pictures.

    Whatever lies in a folder of results is no picture to later commands, and results in one of
    pictures would be.

    Raises:
        ConfigError: the message names the option.
    """
    given = {os.path.realpath(path) for path in request.pictures}
    samples = [request.out / request.samples] if request.sample else []
    named = {"--out": [request.out, *samples]} if request.neighbours or request.sample else {}
    if request.reconstruct is not None:
        named["--reconstruct"] = [request.reconstruct]
    for option, (folder, *below) in named.items():
        shown = f"{option} {printable(str(folder))}"
        if given & {os.path.realpath(path) for path in (folder, *below)}:
            raise ConfigError(f"{shown}: would write among the pictures; name a new folder.")
        names = refuse_folder(shown, folder)
        if option == "--reconstruct" and names - {REPORT} and not request.overwrite:
            raise ConfigError(f"{shown}: is there already; add --overwrite to replace its files.")


def refuse_folder(shown: str, path: Path) -> set[str]:
    """Refuse a folder that holds something else than results, or cannot be written.

    Tables may lie there: they are results of an earlier request, or at least no pictures.

    Returns:
        the names of what it holds.
    """
    if os.path.lexists(path) and not path.is_dir():
        raise ConfigError(f"{shown}: is not a folder.")
    refuse_unwritable(shown, path)
    names = {own.name for own in path.iterdir()} if path.is_dir() else set()
    others = [name for name in names if not name.lower().endswith(TABLES)]
    if others and REPORT not in names:
        raise ConfigError(f"{shown}: holds other files; name a new folder.")
    return names


def refuse_unwritable(shown: str, folder: Path) -> None:
    """Refuse a folder in which nothing can be written, or made."""
    there = Path(os.path.abspath(folder))
    while not os.path.lexists(there):
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"{shown}: {printable(str(there))} cannot be written to.")
