"""Exports on the hub of Hugging Face, by addresses such as hf://user/name@revision."""

import argparse
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from reslag_vae._runtime.errors import ConfigError, UserError, first_line, printable
from reslag_vae._runtime.packages import is_installed
from reslag_vae._runtime.parser import path
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.exported import LOADED, is_export
from reslag_vae.runs.folder import MODEL_FILE
from reslag_vae.runs.formats import read_json

PREFIX = "hf://"
LOG_IN = "log in with `hf auth login`"

NAME = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9_])?"
REVISION = r"[A-Za-z0-9][A-Za-z0-9._/-]*"
LONGEST = 96  # letters of a repository's name


class HubAddress(NamedTuple):
    """The address of an export on the hub.

    Attributes:
        repository: user and name, as in `user/name`.
        revision: branch, tag or commit; None for the newest.
    """

    repository: str
    revision: str | None = None

    def __str__(self) -> str:
        """Return the address as a user types it."""
        revision = "" if self.revision is None else f"@{self.revision}"
        return f"{PREFIX}{self.repository}{revision}"


def is_address(given: object) -> bool:
    """Return whether something is meant as an address on the hub."""
    return isinstance(given, str) and given.startswith(PREFIX)


def parsed(text: str) -> HubAddress:
    """Return the address that a text holds.

    Raises:
        ConfigError: it is none.
    """
    repository, at, revision = text.removeprefix(PREFIX).partition("@")
    fits = re.fullmatch(REVISION, revision) is not None and ".." not in revision
    if not is_repository(repository) or (at and not fits):
        raise ConfigError(
            f"{printable(text)}: hf://user/name or hf://user/name@revision is wanted."
        )
    return HubAddress(repository, revision if at else None)


def path_or_address(text: str) -> Path | HubAddress:
    """Return the path of a model, or its address on the hub, that a command line names.

    Raises:
        ArgumentTypeError: it is neither.
    """
    if not is_address(text):
        return path(text)
    try:
        return parsed(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def is_repository(name: str) -> bool:
    """Return whether a name can be that of a repository: `user/name`."""
    known = re.fullmatch(f"{NAME}/{NAME}", name) is not None and len(name) <= LONGEST
    return known and "--" not in name and ".." not in name and not name.endswith(".git")


def download(address: HubAddress) -> Path:
    """Return the folder of an export on the hub, in huggingface_hub's cache.

    What is there already is not downloaded again. No more than the files that load and apply a
    model are downloaded, and nothing of them is run.

    Raises:
        UserError: huggingface_hub is not installed.
        RunError: there is no such export, or it cannot be had; the message says why.
    """
    require_hub(str(address))
    from huggingface_hub import snapshot_download

    with hub_errors(str(address)):
        # By itself first: other models have large files of the same names.
        first = Path(
            snapshot_download(
                address.repository,
                revision=address.revision,
                allow_patterns=[MODEL_FILE],
                tqdm_class=bars(False),
            )
        )
        if not isinstance(read_json(first / MODEL_FILE).get("model"), dict):
            raise not_an_export(address)
        # Of the same commit, whose name is that of the folder
        whole = snapshot_download(
            address.repository,
            revision=first.name,
            allow_patterns=list(LOADED),
            tqdm_class=bars(sys.stderr.isatty()),
        )
    if not is_export(Path(whole)):
        raise not_an_export(address)
    return Path(whole)


def bars(shown: bool) -> Any:
    """Return the class of the progress bars of downloads.

    Args:
        shown: whether they are shown.
    """
    # The hub's class has no types, and where the hub is not installed there is nothing to ignore.
    from huggingface_hub.utils import tqdm  # type: ignore[attr-defined, unused-ignore]

    # A subclass of what has no type
    class Bar(tqdm):  # type: ignore[misc, unused-ignore]
        """A progress bar."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            own = options if shown else options | {"disable": True}
            # A constructor without annotations
            super().__init__(*arguments, **own)  # type: ignore[no-untyped-call, unused-ignore]

    return Bar


def not_an_export(address: HubAddress) -> RunError:
    """Return the error of a repository that holds something else."""
    return RunError(f"{address}: is not an export of this package.")


def require_hub(whose: str) -> None:
    """Refuse what needs huggingface_hub where it is not installed.

    Args:
        whose: what needs it.

    Raises:
        UserError: it is not installed.
    """
    if not is_installed("huggingface_hub"):
        raise UserError(f"{whose} needs huggingface_hub: pip install 'reslag_vae[hub]'")


@contextmanager
def hub_errors(whose: str) -> Iterator[None]:
    """Turn each error of huggingface_hub within the context into one sentence.

    Args:
        whose: what is at fault, with which the sentence begins.

    Raises:
        RunError: an error was raised; the message says why.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # any of the network, of the server, of the disk
        raise RunError(f"{whose}: {reason(error)}.") from None


def reason(error: BaseException) -> str:
    """Return the reason of an error of huggingface_hub's, in words."""
    from huggingface_hub import errors

    cause = error.__cause__
    if isinstance(error, errors.LocalEntryNotFoundError) and cause is not None:
        missing = isinstance(cause, errors.OfflineModeIsEnabled)
        return reason(cause) + (", and it is not in the cache" if missing else "")
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "offline mode is on (HF_HUB_OFFLINE)"
    if isinstance(error, errors.GatedRepoError):
        return f"is gated: ask for access on its page, and {LOG_IN}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"there is no such repository, or it is private and not yours: {LOG_IN}"
    if isinstance(error, errors.RevisionNotFoundError):
        return "there is no such revision of it"
    if isinstance(error, errors.HfHubHTTPError):
        return by_status(error)
    if isinstance(error, ValueError):
        return " ".join(str(error).split()).rstrip(".")
    return f"the hub cannot be reached ({type(error).__name__}: {first_line(error)})"


def by_status(error: Any) -> str:
    """Return the reason of an answer of the hub's that is an error."""
    status = error.response.status_code
    if status == 401:
        return f"the hub does not know this login: {LOG_IN}"
    if status == 403:
        return "this login has no permission for it"
    said = f": {error.server_message}" if getattr(error, "server_message", None) else ""
    return f"the hub answers with {status}{printable(said)}"
