"""What was done, kept in each folder that `reslag apply` writes: applied.json."""

from reslag_vae import __version__
from reslag_vae.apply.request import REPORT, Request
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.formats import read_json, write_json


def begin(request: Request, output: str) -> None:
    """Mark the folder of an output as written by this program, just before its first file.

    A request that is refused until then leaves no folder, and marks none of the user's.

    Args:
        request: the request.
        output: one of `request.folders`.

    Raises:
        WriteError: the folder cannot be written.
    """
    record(request, output, {"finished": False})


def record(request: Request, output: str, content: dict[str, object]) -> None:
    """Write what is known of an output into the report of its folder.

    What earlier commands have written there keeps its own entry, unless the report is damaged.

    Args:
        request: the request.
        output: one of `request.folders`.
        content: what is known.

    Raises:
        WriteError: the folder cannot be written.
    """
    path = request.folders[output] / REPORT
    try:
        before = read_json(path)
    except RunError:
        before = {}
    facts = {"reslag_vae": __version__, "model": str(request.model)}
    write_json(path, before | {output: facts | content})
