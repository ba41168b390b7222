"""What is said of how long a run will take."""

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from lightning import Trainer
from lightning.pytorch.callbacks import Timer

from reslag_vae.data import ImageDataModule
from reslag_vae.networks import Network
from reslag_vae.training.callbacks import (
    BestAndLast,
    Duration,
    EarlyStopping,
    EpochReport,
    duration,
)
from reslag_vae.training.schedules import Joint, Lagging, Schedule
from reslag_vae.variants import VAE, LaggingVAE
from tests.systems import make_system


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(12.4, "12 s"), (89, "89 s"), (90, "2 min"), (14 * 60, "14 min"), (5400, "1.5 h")],
)
def test_durations_are_in_the_unit_that_a_person_would_use(seconds: float, text: str) -> None:
    assert duration.in_words(seconds) == text


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (Joint(), "About 1.7 h: 12,000 updates of the decoder at 500 ms;"),
        # Half of the epochs are aggressive: a joint step takes a fourth of one with 4 encoder
        # updates.
        (
            Lagging(ratio=4, epochs=2000),
            "About 62 min: 12,000 updates of the decoder, aggressive ones, at 500 ms;",
        ),
        (Lagging(ratio=4, epochs=0), "About 1.7 h: 12,000 updates of the decoder at 500 ms;"),
    ],
)
def test_the_first_steps_tell_how_long_a_run_will_take(
    schedule: Schedule,
    said: str,
    make_network: Callable[..., Network],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    kind = VAE if isinstance(schedule, Joint) else LaggingVAE
    model = make_system(kind, make_network(), "elbo", schedule)
    trainer: Any = SimpleNamespace(
        current_epoch=0, max_epochs=4000, num_training_batches=3, callbacks=[]
    )
    duration.tell(trainer, model, 0.5)
    assert caplog.messages[0].startswith(said)
    duration.tell(trainer, model, 0.5, left=600.0)
    assert caplog.messages[1].startswith("About 10 min: 12,000 updates of the decoder")
    trainer.callbacks = [EarlyStopping()]
    duration.tell(trainer, model, 0.5, left=600.0)
    assert caplog.messages[2].startswith("At most 10 min: 12,000 updates")
    assert ", or fewer if it gets no better" in caplog.messages[2]
    trainer.callbacks = [Timer("00:00:05:00")]
    duration.tell(trainer, model, 0.5, left=600.0)
    assert caplog.messages[3] == (
        "About 5 min, until trainer.max_time is over: all 4,000 epochs would take about 10 min."
    )
    duration.tell(trainer, model, 0.5, left=240.0)
    assert caplog.messages[4].startswith("About 4 min: 12,000 updates of the decoder")
    trainer.max_epochs = 1
    duration.tell(trainer, model, 0.5)
    assert len(caplog.messages) == 5, "a run of some seconds says nothing"


def test_epochs_tell_what_is_left(
    make_network: Callable[..., Network],
    make_data: Callable[..., ImageDataModule],
    fit: Callable[..., Trainer],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(duration, "PATIENCE", 0.0)
    told: list[float] = []
    monkeypatch.setattr(duration, "tell", lambda *arguments: told.append(arguments[2]))
    time = iter(range(0, 10_000, 60))
    monkeypatch.setattr(duration, "monotonic", lambda: float(next(time)))
    watch = Duration()
    fit(
        make_system(VAE, make_network(), "elbo"),
        make_data(),
        3,
        [watch, EpochReport(), BestAndLast()],
    )
    assert len(told) == 1
    lines = [own for own in caplog.messages if own.startswith("epoch ")]
    assert "min left" in lines[0]
    assert "left" not in lines[2]
    assert watch.left == 0


def test_no_more_is_left_than_the_time_that_a_run_is_given(
    make_network: Callable[..., Network],
    make_data: Callable[..., ImageDataModule],
    fit: Callable[..., Trainer],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO)
    time = iter(range(0, 10_000_000, 6000))
    monkeypatch.setattr(duration, "monotonic", lambda: float(next(time)))
    callbacks = [Timer("00:00:05:00", "epoch"), Duration(), EpochReport(), BestAndLast()]
    fit(make_system(VAE, make_network(), "elbo"), make_data(), 2, callbacks)
    [first, _] = [own for own in caplog.messages if own.startswith("epoch ")]
    assert first.endswith("about 5 min left")
