"""The upload of an export to the hub of Hugging Face."""

import re
from pathlib import Path
from typing import Any, NamedTuple

from reslag_vae._runtime.errors import UserError
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.exported import FILES
from reslag_vae.runs.folder import CARD_FILE
from reslag_vae.runs.hub import LOG_IN, PREFIX, hub_errors

LOADS = re.compile(rb"^model = reslag_vae\.load\(.*\)$", re.MULTILINE)


class Upload(NamedTuple):
    """Where an export is uploaded to.

    Attributes:
        repository: user and name.
        public: whether everyone may see it.
        message: message of the commit.
    """

    repository: str
    public: bool
    message: str


def check_place(repository: str, public: bool) -> None:
    """Refuse an upload that would fail, or show to everyone what was not meant for them.

    Raises:
        UserError: the user is not logged in, or offline; or the repository is public, and this was
            not asked for.
    """
    from huggingface_hub import HfApi, get_token

    with hub_errors(repository):
        if get_token() is None:
            raise UserError(f"{repository}: nobody is logged in to the hub: {LOG_IN}.")
        found = visibility(HfApi(), repository)
    if found == "public" and not public:
        raise UserError(f"{repository}: is there already, and public: add --public.")
    if found == "private" and public:
        raise UserError(
            f"{repository}: is there already, and private: leave out --public, or make it public "
            "on its page."
        )


def visibility(api: Any, repository: str) -> str | None:
    """Return `public` or `private`; None if there is no such repository."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info = api.repo_info(repository)
    except RepositoryNotFoundError:
        return None
    return "private" if info.private else "public"


def files_of(folder: Path, repository: str) -> dict[str, bytes]:
    """Return the content of an export's files by name; its card says how to load it from the hub.

    Other files in the folder are left out.

    Raises:
        RunError: a file cannot be read.
    """
    try:
        files = {name: (folder / name).read_bytes() for name in FILES if (folder / name).is_file()}
    except OSError as error:
        raise RunError(f"{error.filename} cannot be read: {error.strerror}") from None
    line = f"model = reslag_vae.load({PREFIX + repository!r})".encode()
    if CARD_FILE in files:
        files[CARD_FILE] = LOADS.sub(lambda _: line, files[CARD_FILE])
    return files


def upload(files: dict[str, bytes], what: Upload) -> str:
    """Upload files in one commit, and return the repository's address.

    Files of an earlier export that are not among them are deleted.

    Args:
        files: content by name.
        what: where to.

    Raises:
        RunError: the hub does not take them; the message says why.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api = HfApi()
    with hub_errors(what.repository):
        if visibility(api, what.repository) is None:
            api.create_repo(what.repository, private=not what.public)
        there = set(api.list_repo_files(what.repository))
        gone = sorted(there & set(FILES) - files.keys())
        operations: list[Any] = [
            *(CommitOperationAdd(name, content) for name, content in files.items()),
            *(CommitOperationDelete(name) for name in gone),
        ]
        api.create_commit(what.repository, operations, commit_message=what.message)
    return f"{api.endpoint}/{what.repository}"
