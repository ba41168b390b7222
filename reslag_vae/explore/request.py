"""What the command line asks for, checked before PyTorch is loaded."""

import errno
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from reslag_vae._runtime.errors import ConfigError, UserError, printable
from reslag_vae._runtime.packages import is_installed
from reslag_vae.apply.inputs import Inputs, find_inputs
from reslag_vae.apply.request import check_model, refuse_place
from reslag_vae.runs.hub import HubAddress

LOOPBACK, PORT = "127.0.0.1", 7860
SPLITS = ("val", "test", "train")
MOST = 1000


class Request(NamedTuple):
    """Which models are shown, with which pictures, and where.

    Attributes:
        models: folders of runs or exports, or files of checkpoints, or exports on the hub; at least
            one.
        pictures: folders and files of pictures; none takes those of the first run.
        split: split of a run's own pictures; None takes validation and, where it has fewer than
            `most`, the others, too.
        root: folder of all data sets, if it has moved.
        most: number of pictures, at most.
        html: file to write instead of a page that is served, if any.
        overwrite: whether the file may be replaced.
        host: address that the page is served at.
        port: port that it is served at.
        open: whether a browser is opened.
        trust: modules of the user's own that the models may be made of.
    """

    models: Sequence[Path | HubAddress]
    pictures: Sequence[Path] = ()
    split: str | None = None
    root: Path | None = None
    most: int = MOST
    html: Path | None = None
    overwrite: bool = False
    host: str = LOOPBACK
    port: int = PORT
    open: bool = False
    trust: Sequence[str] = ()

    @property
    def titles(self) -> list[str]:
        """The names of the models: addresses, and what the paths do not share."""
        names = iter(names_of([model for model in self.models if isinstance(model, Path)]))
        return [next(names) if isinstance(model, Path) else str(model) for model in self.models]


def names_of(models: Sequence[Path]) -> list[str]:
    """Return what the paths of models do not share.

    The path of a single one is as it was given, and of an absolute one the end, which a file that
    is handed on may show.
    """
    paths = [os.path.abspath(path) for path in models]
    if len(set(paths)) < 2:
        shown = [path.parts[-3:] if path.is_absolute() else path.parts for path in models]
        return [str(Path(*parts)) for parts in shown]
    common = os.path.commonpath(paths)
    # Of a run beside a checkpoint of its own nothing is left.
    within = [os.path.relpath(path, common) for path in paths]
    names = [
        os.path.basename(path) if name == os.curdir else name
        for path, name in zip(paths, within, strict=True)
    ]
    # Runs of a study end alike: `seed_0` says nothing.
    ends = [os.path.basename(name) for name in names]
    alike = len(set(ends)) == 1 and ends[0] not in names
    return [os.path.dirname(name) for name in names] if alike else names


def checked_inputs(request: Request) -> Inputs | None:
    """Return the pictures that a request names; None if it names none.

    Raises:
        ConfigError: an option is wrong, the message names it; or there is no picture.
        UserError: what serves the page is missing, or its port is taken.
    """
    for model in request.models:
        if isinstance(model, Path):
            check_model(model)
    if request.split and request.pictures:
        raise ConfigError("--split: is of a run's own pictures, and --pictures names others.")
    if request.html is None:
        check_server(request)
    else:
        check_file(request)
    return find_inputs(request.pictures) if request.pictures else None


def check_file(request: Request) -> None:
    """Refuse a file that is no page or cannot be written, and options of a server beside it.

    Raises:
        ConfigError: the message names the option.
    """
    path = request.html
    assert path is not None
    if path.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--html {printable(str(path))}: a file that ends in .html is wanted.")
    refuse_place("--html", path, request.overwrite)
    if request.open or (request.host, request.port) != (LOOPBACK, PORT):
        raise ConfigError("--open, --host, --port: are of a page that is served, without --html.")


def check_server(request: Request) -> None:
    """Refuse a page that cannot be served.

    Raises:
        UserError: Gradio is not installed, or the port is taken.
    """
    if not is_installed("gradio"):
        raise UserError(
            "reslag explore needs gradio: pip install 'reslag_vae[explore]'; --html FILE does "
            "without."
        )
    try:
        family = socket.getaddrinfo(request.host, request.port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family) as attempt:
            # As servers do: a port that was left a moment ago is free.
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind((request.host, request.port))
    except socket.gaierror:
        raise ConfigError(f"--host {printable(request.host)}: there is no such address.") from None
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise ConfigError(
                f"--host {printable(request.host)}: is no address of this computer."
            ) from None
        taken = "is taken" if error.errno == errno.EADDRINUSE else error.strerror
        raise UserError(
            f"--port {request.port}: {taken} at {printable(request.host)}; choose another one."
        ) from None
