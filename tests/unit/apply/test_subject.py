"""The model of a request, and what of it is kept with its run."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from reslag_vae.apply.calibration import calibration_of
from reslag_vae.apply.own_samplers import own_sampler
from reslag_vae.apply.request import FEWEST, Request
from reslag_vae.apply.subject import read_subject
from reslag_vae.runs.formats import read_json


@pytest.fixture
def run(first_stage: Callable[..., Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(first_stage("model=vae"), tmp_path / "run"))


def test_a_checkpoint_is_of_its_run_wherever_it_is_named_from(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, given, best in (
        (run.parent, run.name, True),
        (run, ".", True),
        (run, "checkpoints/best.ckpt", True),
        (run, "checkpoints/last.ckpt", False),
        (run / "checkpoints", "best.ckpt", True),
        (run / "checkpoints", "last.ckpt", False),
    ):
        monkeypatch.chdir(folder)
        subject = read_subject(Request(Path(given)))
        assert subject.folder.resolve() == run
        assert subject.form.data == "digits"
        assert subject.best == best


def test_scores_and_samplers_of_another_checkpoint_take_the_place_of_none(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FEWEST, "flow", 10)
    monkeypatch.setattr("reslag_vae.apply.samplers.UPDATES", 1)
    model = read_subject(Request(run)).model
    calibration_of(run, model, None)
    own_sampler("flow", run, model)
    kept = {name: (run / name).read_bytes() for name in ("scores.json", "samplers.safetensors")}
    weights = read_json(run / "scores.json")["weights"]
    next(model.parameters()).data.add_(1)  # those of another epoch
    found = calibration_of(run, model, None, keep=False)
    assert found.scores
    (note,) = own_sampler("flow", run, model, keep=False).notes
    assert note == "the flow is not kept: exports carry that of the best epoch"
    assert {name: (run / name).read_bytes() for name in kept} == kept
    calibration_of(run, model, None)
    assert read_json(run / "scores.json")["weights"] != weights


def test_a_sampler_is_asked_for_by_its_name_and_the_folder_as_text(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FEWEST, "flow", 10)
    monkeypatch.setattr("reslag_vae.apply.samplers.UPDATES", 1)
    model = read_subject(Request(run)).model
    draw = own_sampler("flow", str(run), model).sampler
    assert draw(3, seed=0).shape == (3, model.latent_dim)
    with pytest.raises(ValueError, match="name='prior': choose one of mixture, flow, two_stage"):
        own_sampler("prior", run, model)
