"""One process does what many need."""

import logging
import threading
from pathlib import Path

import pytest

from reslag_vae._runtime.locks import held
from reslag_vae.data.alone import alone


def test_nobody_is_told_to_wait_where_nobody_has_to(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), alone(tmp_path / "lock", "decoding"):
        assert (tmp_path / "lock").exists()
    assert caplog.messages == []


def test_the_others_wait_and_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, order = threading.Event(), []

    def work() -> None:
        with held(tmp_path / "lock", 0):
            first.set()
            while "Another process is decoding: waiting for it." not in caplog.messages:
                threading.Event().wait(0.01)
            order.append("first")

    with caplog.at_level(logging.INFO):
        thread = threading.Thread(target=work)
        thread.start()
        first.wait()
        with alone(tmp_path / "lock", "decoding"):
            order.append("second")
        thread.join()
    assert order == ["first", "second"]
