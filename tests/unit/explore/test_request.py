"""What is refused before anything is loaded: one sentence each."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reslag_vae._runtime.errors import UserError
from reslag_vae.explore import request as module
from reslag_vae.explore.command import parser
from reslag_vae.explore.request import Request, checked_inputs
from reslag_vae.runs.hub import HubAddress


@pytest.fixture
def asked(tmp_path: Path) -> Callable[..., Request]:
    """A request of an export that holds nothing but its name."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_text("")
    (tmp_path / "there.html").write_text("")

    def request(**options: object) -> Request:
        known = {"models": [tmp_path / "model"], "html": tmp_path / "page.html"}
        return Request(**known | options)  # type: ignore[arg-type]

    return request


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens at."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("models", "gone", "gone: there is no such run, export or checkpoint"),
        ("models", ".", "not a run's folder"),
        ("html", "page.txt", "page.txt: a file that ends in .html is wanted"),
        ("html", "there.html", "there.html: is there already; add --overwrite"),
        ("html", "there.html/page.html", "there.html cannot be written to"),
        ("pictures", "gone", "gone: there is no such file or folder"),
        ("pictures", "model", "There is no picture in"),
    ],
)
def test_wrong_paths_are_named(
    asked: Callable[..., Request], tmp_path: Path, name: str, value: str, message: str
) -> None:
    path = tmp_path / value
    request = asked(**{name: path if name == "html" else [path]})
    with pytest.raises(UserError, match=message) as raised:
        checked_inputs(request)
    assert "\n" not in str(raised.value)


def test_options_of_a_server_are_not_of_a_file(asked: Callable[..., Request]) -> None:
    assert checked_inputs(asked()) is None
    for options in ({"open": True}, {"port": 9000}, {"host": "0.0.0.0"}):
        with pytest.raises(UserError, match="--open, --host, --port: are of a page"):
            checked_inputs(asked(**options))


def test_a_server_needs_gradio(
    asked: Callable[..., Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "is_installed", lambda name: False)
    with pytest.raises(UserError, match="reslag explore needs gradio: pip install"):
        checked_inputs(asked(html=None))


def test_a_split_and_other_pictures_contradict_each_other(
    asked: Callable[..., Request], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="--split: is of a run's own pictures"):
        checked_inputs(asked(split="val", pictures=[tmp_path]))


def test_a_port_that_is_taken_and_a_host_that_is_none(
    asked: Callable[..., Request], taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "is_installed", lambda name: True)
    with pytest.raises(UserError, match=f"--port {taken}: is taken at 127.0.0.1; choose another"):
        checked_inputs(asked(html=None, port=taken))
    with pytest.raises(UserError, match=r"--host no.such.host.invalid: there is no such address"):
        checked_inputs(asked(html=None, host="no.such.host.invalid"))
    # An address for documentation, which no computer has
    with pytest.raises(UserError, match=r"--host 192\.0\.2\.1: is no address of this computer"):
        checked_inputs(asked(html=None, host="192.0.2.1"))


@pytest.mark.parametrize(
    ("paths", "titles"),
    [
        (["runs/digits/vae/a"], ["runs/digits/vae/a"]),
        (["/home/me/runs/digits/vae/a"], ["digits/vae/a"]),
        (["runs/a", "runs/b"], ["a", "b"]),
        (["study/a/seed_0", "study/b/seed_0"], ["a", "b"]),
        (["study/a/seed_0", "study/a/seed_1"], ["seed_0", "seed_1"]),
        (["x/a", "y/b"], ["x/a", "y/b"]),
        (["a", "a"], ["a", "a"]),
        (["runs/a", "runs/a/checkpoints/last.ckpt"], ["a", "checkpoints/last.ckpt"]),
        (["a", "a/b/a"], ["a", "b/a"]),
    ],
)
def test_titles_are_what_paths_do_not_share(paths: list[str], titles: list[str]) -> None:
    assert Request([Path(path) for path in paths]).titles == titles


def test_an_address_on_the_hub_is_a_model_and_its_own_title(tmp_path: Path) -> None:
    given = ["hf://user/name@v1", str(tmp_path), "--html", str(tmp_path / "page.html")]
    request = Request(**vars(parser().parse_args(given)))
    assert request.models == [HubAddress("user/name", "v1"), tmp_path]
    assert request.titles[0] == "hf://user/name@v1"
    assert checked_inputs(request._replace(models=request.models[:1])) is None
