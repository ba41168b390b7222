"""The page that Gradio serves, without a browser."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from reslag_vae._runtime.errors import UserError
from reslag_vae.apply.subject import Subject
from reslag_vae.explore.axes import MOST_AXES
from reslag_vae.explore.explorer import Explorer
from reslag_vae.explore.panels import Panels
from reslag_vae.runs.picture_format import PictureFormat

ROOT = Path(__file__).parents[3]
REASON = "Gradio serves the page: pip install 'reslag_vae[explore]'"

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what Gradio is made of
    gradio = pytest.importorskip("gradio", reason=REASON)

from reslag_vae.explore.page import Page, errors_shown  # noqa: E402  # needs Gradio


@pytest.fixture(autouse=True)
def loops(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close the event loops that Gradio leaves open."""
    made, new = [], asyncio.new_event_loop

    def recorded() -> asyncio.AbstractEventLoop:
        made.append(new())
        return made[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", recorded)
    yield
    asyncio.set_event_loop(None)
    for loop in made:
        loop.close()


@pytest.fixture
def page(small: Explorer) -> Page:
    subject = Subject(small.model, None, Path("unused"), PictureFormat())
    return Page(Panels([(subject, small), (subject, small)]))


def values(updates: list[Any]) -> list[Any]:
    """The values of components."""
    return [update.value for update in updates]


def test_the_last_four_picks_are_remembered(page: Page) -> None:
    picks: list[Any] = []
    for position in range(6):
        event = gradio.EventData(None, {"position": position})
        picks = page.pick(picks, event)
    assert [item.position for item in picks] == [2, 3, 4, 5]


def test_every_panel_follows_a_pick(page: Page) -> None:
    picks = [page.panels.item(1), page.panels.item(4)]
    found = page.show(picks, 0, 2, "square", "nothing")
    assert found[0] == page.panels.picked(picks[-1])
    assert found[1] == page.panels.neighbours(0, picks[-1])
    assert values(found[2:5]) == page.panels.starts(0, picks[-1])
    assert [slider.visible for slider in found[2 : 2 + MOST_AXES]] == [True] * 3 + [False] * 9
    assert found[-3] == page.panels.reconstructed(0, picks[-1])
    assert found[-2:] == [
        page.panels.between(picks, 2),
        page.panels.sum(picks[-1], "square", "nothing"),
    ]


def test_a_slider_decodes(page: Page) -> None:
    picks = [page.panels.item(1)]
    moved = page.move(picks, 0, 2.0, *[0.0] * (MOST_AXES - 1))
    assert moved == page.panels.moved(0, picks[0], [2.0, 0.0, 0.0])


def test_an_error_is_one_sentence_on_the_page(page: Page, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("no picture")
    with pytest.raises(gradio.Error, match=r"bad\.png cannot be read"):
        errors_shown(page.bring)([], str(tmp_path / "bad.png"))


@pytest.fixture
def folder(tmp_path: Path, small: Explorer) -> Path:
    """An export of a model, and pictures beside it."""
    small.model.save(tmp_path / "model")
    for number in range(4):
        (tmp_path / "pictures").mkdir(exist_ok=True)
        Image.new("L", (8, 8), 60 * number).save(tmp_path / "pictures" / f"{number}.png")
    return tmp_path


@pytest.fixture
def started(folder: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command in a process."""
    processes = []

    def start(*options: str) -> subprocess.Popen[str]:
        code = "from reslag_vae.cli import main; main()"
        words = ("explore", "model", "--pictures", "pictures", *options)
        process = subprocess.Popen(
            [sys.executable, "-c", code, *words],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_it_is_served_here_alone_until_it_is_stopped(
    started: Callable[..., subprocess.Popen[str]],
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = started("--port", str(port))
    assert process.stdout is not None
    assert process.stdout.readline() == "4 pictures of pictures\n"
    address = f"http://127.0.0.1:{port}"
    assert process.stdout.readline() == f"The page is at {address} until Ctrl-C ends it.\n"
    with urllib.request.urlopen(address, timeout=20) as answer:
        assert answer.headers["content-security-policy"].startswith("default-src 'self'")
        text = answer.read().decode()
    assert "fonts.googleapis.com/css" not in text
    foreign = urllib.request.Request(address, headers={"Host": f"elsewhere.example:{port}"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(foreign, timeout=20)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert errors.strip().splitlines()[-1] == "Stopped."
    assert "Traceback" not in errors


def test_a_port_that_is_taken_meanwhile_is_told(
    small: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reslag_vae.explore.server import launch

    def taken(*_: Any, **options: Any) -> None:
        assert options["server_name"] == "[::1]"  # Gradio makes an address of it
        raise OSError("Cannot find empty port")

    monkeypatch.setattr(gradio.Blocks, "launch", taken)
    subject = Subject(small.model, None, Path("unused"), PictureFormat())
    with pytest.raises(UserError, match="--port 7860: the page cannot be served at ::1; choose"):
        launch([(subject, small)], "::1", 7860)
