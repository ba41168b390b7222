"""A stand-in of the hub of Hugging Face, as much of it as uploads and downloads of models ask for.

It answers on the loopback, so that huggingface_hub's own code runs.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

OWNER, READER = "token_of_user", "token_of_reader"


class Repository:
    """Commits, newest last, and their names."""

    def __init__(self, private: bool = False, gated: bool = False) -> None:
        self.private, self.gated = private, gated
        self.commits: dict[str, dict[str, bytes]] = {}
        self.refs: dict[str, str] = {}
        self.messages: list[str] = []
        self.commit({}, "first")

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits[self.refs["main"]]

    def commit(self, files: dict[str, bytes], message: str) -> str:
        text = f"{len(self.commits)} {message} {sorted(files)}"
        sha = hashlib.sha1(text.encode()).hexdigest()
        self.commits[sha], self.refs["main"] = dict(files), sha
        self.messages.append(message)
        return sha


class Answer(NamedTuple):
    status: int
    content: Any = None
    headers: dict[str, str] = {}  # noqa: RUF012  # never changed


def refused(status: int, code: str) -> Answer:
    return Answer(status, {"error": code}, {"X-Error-Code": code})


class Hub:
    """The repositories by name, and the requests so far."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[tuple[str, str]] = []
        self.url = ""

    def asked_for(self) -> list[str]:
        """The names of the files that were downloaded."""
        return [path.rpartition("/")[2] for method, path in self.requests if method == "GET"
                and "/resolve/" in path]  # fmt: skip

    def answer(self, method: str, path: str, token: str | None, body: bytes) -> Answer:
        self.requests.append((method, path))
        path = path.partition("?")[0]
        if token not in (None, OWNER, READER):
            said = "Invalid credentials in Authorization header"
            return Answer(401, {"error": said}, {"X-Error-Message": said})
        if path == "/api/repos/create":
            return self.create(json.loads(body), token)
        if path == "/api/validate-yaml":
            return self.validate(json.loads(body)["content"])
        found = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(\w+)/([^/]+))?", path)
        if found is not None:
            return self.of_repository(found[1], found[2], found[3] or "main", token, body)
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        if found is None:  # of what the client may ask beside, such as how to name itself
            return Answer(404, {"error": "unknown"})
        return self.file(found[1], found[2], found[3], token)

    def create(self, wanted: dict[str, Any], token: str | None) -> Answer:
        name = f"{wanted['organization']}/{wanted['name']}"
        if token != OWNER:
            return Answer(401 if token is None else 403, {"error": "no rights"})
        if name in self.repositories:
            return Answer(409, {"error": "is there already"})
        self.repositories[name] = Repository(private=wanted["visibility"] == "private")
        return Answer(200, {"url": f"{self.url}/{name}"})

    def validate(self, content: str) -> Answer:
        if "license: gpl-9" in content:
            return Answer(400, {"errors": [{"message": '"license" must be one of'}]})
        return Answer(200, {"errors": [], "warnings": []})

    def seen(self, name: str, token: str | None) -> Repository | Answer:
        repository = self.repositories.get(name)
        if repository is None or (repository.private and token is None):
            return refused(401 if token is None else 404, "RepoNotFound")
        return repository

    def of_repository(
        self, name: str, what: str | None, revision: str, token: str | None, body: bytes
    ) -> Answer:
        found = self.seen(name, token)
        if isinstance(found, Answer):
            return found
        sha = found.refs.get(revision, revision)
        if sha not in found.commits:
            return refused(404, "RevisionNotFound")
        files = found.commits[sha]
        if what in (None, "revision"):
            siblings = [{"rfilename": own} for own in files]
            return Answer(200, {"id": name, "sha": sha, "private": found.private, "siblings":
                                siblings})  # fmt: skip
        if what == "tree":
            return Answer(200, [
                {"type": "file", "path": own, "size": len(content), "oid": etag(content)}
                for own, content in files.items()
            ])  # fmt: skip
        if token != OWNER:
            return Answer(403, {"error": "no rights"})
        if what == "preupload":
            wanted = json.loads(body)["files"]
            modes = [{"path": own["path"], "uploadMode": "regular", "shouldIgnore": False}
                     for own in wanted]  # fmt: skip
            return Answer(200, {"files": modes})
        assert what == "commit", f"the stand-in knows no {what}"
        return self.commit(name, found, [json.loads(line) for line in body.splitlines()])

    def commit(self, name: str, repository: Repository, lines: list[dict[str, Any]]) -> Answer:
        files = dict(repository.files)
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            if line["key"] == "deletedFile":
                del files[value["path"]]
        sha = repository.commit(files, lines[0]["value"]["summary"])
        return Answer(200, {"commitOid": sha, "commitUrl": f"{self.url}/{name}/commit/{sha}"})

    def file(self, name: str, revision: str, path: str, token: str | None) -> Answer:
        found = self.seen(name, token)
        if isinstance(found, Answer):
            return found
        if found.gated:
            return refused(403, "GatedRepo")
        files = found.commits[found.refs.get(revision, revision)]
        if path not in files:
            return refused(404, "EntryNotFound")
        headers = {"ETag": f'"{etag(files[path])}"', "X-Repo-Commit": revision}
        return Answer(200, files[path], headers)


def etag(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@contextmanager
def serving(hub: Hub) -> Iterator[None]:
    """Answer requests at `hub.url` within the context."""

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = self.headers.get("Authorization")
            answer = hub.answer(
                self.command, self.path, token and token.removeprefix("Bearer "), body
            )
            raw = isinstance(answer.content, bytes)
            content = answer.content if raw else json.dumps(answer.content).encode()
            self.send_response(answer.status)
            kind = "application/octet-stream" if raw else "application/json"
            for header, value in {"Content-Type": kind, **answer.headers}.items():
                self.send_header(header, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def point(monkeypatch: pytest.MonkeyPatch, url: str, folder: Path) -> None:
    """Have huggingface_hub ask another server, without the user's cache and login.

    Its settings are of its environment when it is imported.
    """
    constants = "huggingface_hub.constants"
    monkeypatch.setattr(f"{constants}.ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(f"{constants}.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(f"{constants}.HF_HUB_CACHE", str(folder / "cache"))
    monkeypatch.setattr(f"{constants}.HF_TOKEN_PATH", str(folder / "token"))
    monkeypatch.setattr(f"{constants}.HF_HUB_OFFLINE", False)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE"):
        monkeypatch.delenv(name, raising=False)
