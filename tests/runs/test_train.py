"""Whole runs on the digits: their files, and that an interrupted run ends like any other."""

import functools
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Timer
from omegaconf import DictConfig
from PIL import Image
from torch import Tensor

import reslag_vae
from reslag_vae.objectives.averages import Means
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import TRAVELLING, is_finished
from reslag_vae.runs.formats import read_arrays
from reslag_vae.training import gradient_skip
from reslag_vae.training.forward import ForwardPass
from reslag_vae.training.resume import resumed
from reslag_vae.training.second_stage import staged
from reslag_vae.training.steps import TrainingSteps
from reslag_vae.training.system import BaseVAE
from tests.running import (
    BARE,
    BARE_8,
    METRICS,
    ROOT,
    SMALL,
    SMALL_8,
    assert_same_runs,
    checkpoint,
    command,
    metrics,
    rows,
    same,
    start,
)

pytestmark = pytest.mark.usefixtures("small_digits")

Compose = Callable[..., DictConfig]
Train = Callable[[DictConfig, Path], float]
Plain = Callable[[int], tuple[Path, float]]


class InterruptedRunError(RuntimeError):
    """What a test stops a run with."""


def interrupt(monkeypatch: pytest.MonkeyPatch, epoch: int, step: int) -> None:
    """Make every run fail in the middle of an epoch, before a step of it (both from 0)."""
    original = TrainingSteps._step
    made: Counter[int] = Counter()

    def one_step(self: TrainingSteps, images: Tensor) -> ForwardPass:
        now = self.system.current_epoch
        if (now, made[now]) == (epoch, step):
            raise InterruptedRunError
        made[now] += 1
        return original(self, images)

    monkeypatch.setattr(TrainingSteps, "_step", one_step)


@pytest.fixture(scope="module")
def finished(
    small_digits: None, tmp_path_factory: pytest.TempPathFactory, train: Train
) -> tuple[Path, float]:
    """A short run of the light ResLag VAE with everything switched on, and its returned value."""
    from hydra import compose, initialize_config_dir

    folder = tmp_path_factory.mktemp("runs") / "reslag_light"
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose(
            "train",
            [*SMALL_8, "model=reslag_light", "recipe.residual=true", "trainer.max_epochs=2"],
        )
    return folder, train(config, folder)


@pytest.fixture(scope="module")
def plain(
    small_digits: None, compose: Compose, train: Train, tmp_path_factory: pytest.TempPathFactory
) -> Plain:
    """Return a plain run of so many epochs, trained once, and its returned value."""

    @functools.cache
    def trained(epochs: int) -> tuple[Path, float]:
        folder = tmp_path_factory.mktemp("plain") / "run"
        config = compose(*BARE_8, "model=vae", f"trainer.max_epochs={epochs}")
        return folder, train(config, folder)

    return trained


def test_everything_of_a_run_is_in_its_folder(finished: tuple[Path, float]) -> None:
    folder, _ = finished
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    pictures = {
        f"figures/{name}.png"
        for name in ("curves", "reconstructions", "prior_samples", "kl_per_dimension")
    }
    assert files == {
        "config.yaml",
        "run.json",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "checkpoints/previous.ckpt",
        "metrics.csv",
        "metrics.json",
        "per_image.npz",
        *TRAVELLING,
        *pictures,
        "figures/images.npz",
    }
    for name in pictures:
        with Image.open(folder / name) as picture:
            assert picture.format == "PNG"


def test_the_result_names_every_number(finished: tuple[Path, float]) -> None:
    folder, returned = finished
    result = json.loads((folder / "metrics.json").read_text())
    for split in ("val", "test"):
        assert set(result[split]) >= METRICS
        assert all(isinstance(result[split][name], float) for name in METRICS)
    assert result["val"]["loss"] == pytest.approx(returned, rel=1e-5)
    assert result["val"]["kl_per_dim"] == pytest.approx(result["val"]["kl"] / 5)
    assert (result["model"], result["data"], result["seed"]) == ("reslag_light", "digits", 0)
    assert (result["objective"], result["schedule"]) == ("sigma_data", "lagging")
    assert result["epoch"] in (1, 2)
    assert result["epochs_run"] == 2
    assert result["stopped_because"] == "all 2 epochs were run"
    assert result["seconds"] > 0
    assert result["images_per_second"] > 0
    parameters = result["parameters"]
    assert parameters["inference"] + parameters["generative"] == parameters["total"]
    assert result["device"] == "cpu"
    assert result["versions"]["torch"] == torch.__version__
    assert set(result["versions"]) == {"python", "torch", "torchvision", "lightning"}
    assert "commit" in result
    assert result["monitored"] == {"name": "val/loss", "value": returned}


def test_the_values_of_each_test_image_are_kept(finished: tuple[Path, float]) -> None:
    folder, _ = finished
    arrays = read_arrays(folder / "per_image.npz")
    result = json.loads((folder / "metrics.json").read_text())
    assert {name: values.shape for name, values in arrays.items()} == {"rec": (18,), "kl": (18,)}
    for name, values in arrays.items():
        assert values.mean(dtype=float) == pytest.approx(result["test"][name], rel=1e-6)


def test_every_epoch_has_a_row(finished: tuple[Path, float]) -> None:
    found = rows(finished[0])
    assert [row["epoch"] for row in found] == ["1", "2"]
    assert {f"{split}/{name}" for split in ("train", "val") for name in METRICS} <= set(found[0])
    assert [float(row["images_seen"]) for row in found] == [146, 292]
    assert float(found[1]["train/rec"]) < float(found[0]["train/rec"])


def test_a_trained_model_comes_back(finished: tuple[Path, float]) -> None:
    folder, _ = finished
    images = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    best, last = reslag_vae.load(folder), reslag_vae.load(folder, "last")
    for model, which in ((best, "best"), (last, "last")):
        kept = checkpoint(folder, which)["state_dict"]
        assert kept.pop("train_mse") > 0
        assert same({f"model.{name}": value for name, value in model.state_dict().items()}, kept)
        assert model.reconstruct(images).shape == images.shape
        assert torch.equal(
            model.reconstruct(images), reslag_vae.load(folder, which).reconstruct(images)
        )
    bytes_ = (images * 255).to(torch.uint8)
    assert torch.equal(best.reconstruct(bytes_), best.reconstruct(bytes_ / 255))


def test_checkpoints_hold_plain_containers_and_what_they_are_of(
    finished: tuple[Path, float],
) -> None:
    folder, _ = finished
    assert (checkpoint(folder, "last")["epoch"], checkpoint(folder, "best")["epoch"]) == (
        1,
        metrics(folder)["epoch"] - 1,
    )
    hyperparameters = checkpoint(folder, "best")["hyper_parameters"]
    assert hyperparameters["model"]["_target_"] == "reslag_vae.variants.ResLagLightVAE"
    assert hyperparameters["model"]["model"]["network"]["channels"] == [4, 8]


# By name: the epochs, after how many of them the run is interrupted, and what it trains.
INTERRUPTED = {
    "end_of_phase": (2, 1, "model=lagging schedule.epochs=1"),
    "fresh_batches": (
        3,
        1,
        "model=reslag schedule.epochs=2 schedule.batches=fresh objective=sigma_learned",
    ),
    "mutual_information": (
        3,
        2,
        "model=lagging schedule.epochs=3 schedule.until=mutual_information optimizer.lr=0.2"
        " data.batch_size=128",
    ),
    "flow": (2, 1, "model=f_vae prior.transforms=2 prior.hidden_features=[8]"),
    "pseudo_inputs": (2, 1, "model=lagging schedule.epochs=1 prior=vamp prior.pseudo_inputs=10"),
    "two_codebooks": (
        2,
        1,
        "model=vq_vae_2 network.channels=[4,4,4] network.blocks=[1,1,1] posterior.codes=20",
    ),
    "hierarchy": (2, 1, "model=ladder_vae network.channels=[4,4] schedule=lagging"),
    "hierarchy_on_both_ways": (2, 1, "model=biva network.channels=[4,4] schedule=lagging"),
}
# Those whose kind the others show.
SLOW = ("mutual_information", "pseudo_inputs", "hierarchy", "hierarchy_on_both_ways")


@pytest.mark.parametrize(
    ("epochs", "stop", "overrides"),
    [
        pytest.param(*case, id=name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name, case in INTERRUPTED.items()
    ],
)
def test_an_interrupted_run_ends_as_if_it_had_not_been(
    epochs: int,
    stop: int,
    overrides: str,
    compose: Compose,
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second minibatch of an epoch is not reached."""
    options = (*BARE_8, *overrides.split(), f"trainer.max_epochs={epochs}")
    config = compose(*options)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    value = train(config, whole)
    with monkeypatch.context() as context:
        interrupt(context, stop, 1)
        with pytest.raises(InterruptedRunError):
            train(config, parts)
    assert len(rows(parts)) == stop
    assert not (parts / "metrics.json").exists()
    assert train(resumed(parts, []), parts) == value
    assert_same_runs(whole, parts)


def test_a_run_says_what_its_strong_decoder_costs_before_the_first_step(
    compose: Compose,
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    small = ("likelihood.channels=4", "likelihood.layers=2", "trainer.max_epochs=1")
    config = compose(*BARE_8, "model=pixelvae", "recipe.pixels=levels", *small)
    interrupt(monkeypatch, 0, 0)
    with pytest.raises(InterruptedRunError):
        train(config, tmp_path)
    assert "billion multiplications for p(x|z) of an image" in capsys.readouterr().out


def test_an_interrupted_run_that_stood_still_ends_as_if_it_had_not_been(
    compose: Compose, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first epoch is the best, the rate is cut twice, and the third epoch is interrupted."""
    original = BaseVAE._log

    def worse(self: BaseVAE, split: str, metrics: dict[str, float], means: Means) -> None:
        loss = {"loss": 1.0 + self.current_epoch} if split == "val" else {}
        original(self, split, metrics | loss, means)

    monkeypatch.setattr(BaseVAE, "_log", worse)
    overrides = ("model=mmd_infovae", "optimizer.plateau.patience=1", "trainer.max_epochs=4")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    config = compose(*BARE_8, *overrides)
    train(config, whole)
    with monkeypatch.context() as context:
        interrupt(context, 2, 3)
        with pytest.raises(InterruptedRunError):
            train(config, parts)
    assert checkpoint(parts, "last")["epoch"] == 1
    train(resumed(parts, []), parts)
    assert [float(row["lr/inference"]) for row in rows(parts)] == pytest.approx(
        [2e-3, 2e-3, 1e-3, 5e-4]
    )
    assert_same_runs(whole, parts)


def test_an_interrupted_run_skips_updates_as_if_it_had_not_been(
    compose: Compose, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window is as long as an epoch, so that what is skipped after it depends on the past."""
    monkeypatch.setattr(gradient_skip, "WINDOW", 11)
    overrides = (
        "model=lagging",
        "schedule.epochs=1",
        "optimizer.skip_above=1.02",
        "data.batch_size=12",
    )
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    config = compose(*BARE_8, *overrides, "trainer.max_epochs=3")
    train(config, whole)
    with monkeypatch.context() as context:
        interrupt(context, 2, 4)
        with pytest.raises(InterruptedRunError):
            train(config, parts)
    train(resumed(parts, []), parts)
    assert all(float(row["train/skipped_updates"]) > 0 for row in rows(whole))
    norms = checkpoint(whole, "last")["progress"]["gradient_norms"]
    assert {name: len(own) for name, own in norms.items()} == {"inference": 11, "generative": 11}
    assert_same_runs(whole, parts)


def test_a_moved_run_goes_on_in_its_new_place(
    plain: Plain,
    compose: Compose,
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = compose(*BARE_8, "model=vae", "trainer.max_epochs=2")
    with monkeypatch.context() as context:
        interrupt(context, 1, 2)
        with pytest.raises(InterruptedRunError):
            train(config, tmp_path / "parts")
    moved = tmp_path / "elsewhere" / "moved"
    shutil.move(tmp_path / "parts", moved)
    train(resumed(moved, []), moved)
    assert_same_runs(plain(2)[0], moved)
    assert not (tmp_path / "parts").exists()


def test_a_finished_run_is_left_as_it_is(
    plain: Plain,
    train: Train,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also where what is set beside `resume=` would make another run of it."""
    trained, value = plain(1)
    folder = shutil.copytree(trained, tmp_path / "run")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    others = ["trainer.precision=bf16-mixed", "++trainer.limit_train_batches=1", "trust=[own]"]
    with caplog.at_level(logging.INFO, "reslag_vae"):
        assert train(resumed(folder, others), folder) == value
    assert "is finished (its one epoch was run): nothing of it is changed" in caplog.text
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    # Stopped before it was measured: its record is that of its training
    (folder / "metrics.json").unlink()
    assert train(resumed(folder, others), folder) == value
    assert metrics(folder)["precision"] == "32-true"
    assert (folder / "config.yaml").read_bytes() == before[folder / "config.yaml"]


def test_a_run_that_stopped_by_itself_is_finished(
    compose: Compose, train: Train, tmp_path: Path
) -> None:
    overrides = (
        "model=mmd_infovae",
        "optimizer.lr=1",
        "optimizer.plateau.factor=0.1",
        "optimizer.plateau.patience=1",
        "optimizer.plateau.stop_below=0.9",
    )
    config = compose(*BARE_8, *overrides, "trainer.max_epochs=30")
    train(config, tmp_path / "run")
    assert metrics(tmp_path / "run")["epochs_run"] < 30
    assert metrics(tmp_path / "run")["stopped_because"] == "learning rate 0.1 fell below 0.9"
    shutil.copytree(tmp_path / "run", tmp_path / "again")
    train(resumed(tmp_path / "again", []), tmp_path / "again")
    assert_same_runs(tmp_path / "run", tmp_path / "again")


def test_a_finished_run_can_be_made_longer(plain: Plain, train: Train, tmp_path: Path) -> None:
    parts = shutil.copytree(plain(1)[0], tmp_path / "parts")
    train(resumed(parts, ["trainer.max_epochs=2"]), parts)
    assert_same_runs(plain(2)[0], parts)


def test_a_finished_run_that_goes_on_is_not_finished_until_it_has_ended(
    plain: Plain,
    compose: Compose,
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = shutil.copytree(plain(1)[0], tmp_path / "run")
    with monkeypatch.context() as context:
        interrupt(context, 2, 1)
        with pytest.raises(InterruptedRunError):
            train(resumed(folder, ["trainer.max_epochs=3"]), folder)
    assert not is_finished(folder)
    config = compose("model=fitted_prior", f"run={folder}", *BARE_8[5:])
    with pytest.raises(RunError, match="has not finished"):
        staged(config, [], tmp_path / "second")
    # It may also end where it was interrupted.
    train(resumed(folder, ["trainer.max_epochs=2"]), folder)
    assert metrics(folder)["epochs_run"] == 2


def test_a_time_that_is_over_ends_a_run_with_its_epoch(
    compose: Compose, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    step = TrainingSteps._step

    def counted(self: TrainingSteps, images: Tensor) -> ForwardPass:
        steps.append(self.system.current_epoch)
        return step(self, images)

    monkeypatch.setattr(TrainingSteps, "_step", counted)
    monkeypatch.setattr(Timer, "time_elapsed", lambda *_: 60.0 * len(steps))
    options = (*BARE_8, "model=vae", "trainer.max_epochs=3", "+trainer.max_time=00:00:02:00")
    train(compose(*options), tmp_path)
    result = metrics(tmp_path)
    stopped = "the trainer was told to stop after 1 of 3 epochs, by trainer.max_time"
    assert result["stopped_because"] == stopped
    assert steps == [0] * len(steps)
    seen = checkpoint(tmp_path, "last")["progress"]["images_seen"]
    assert seen == result["images"]["train"]


def test_a_run_that_was_not_measured_is_drawn_as_one_that_was(
    compose: Compose, train: Train, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    train(compose(*SMALL_8, "model=vae", "callbacks.progress=null", "trainer.max_epochs=1"), folder)
    before = {path.name: path.read_bytes() for path in (folder / "figures").iterdir()}
    shutil.rmtree(folder / "figures")
    (folder / "metrics.json").unlink()
    train(resumed(folder, []), folder)
    assert {path.name: path.read_bytes() for path in (folder / "figures").iterdir()} == before


def test_seeds_give_different_runs_and_one_seed_the_same(
    plain: Plain, compose: Compose, train: Train, tmp_path: Path
) -> None:
    first, _ = plain(1)
    for folder, seed in (("same", 0), ("other", 1)):
        config = compose(*BARE_8, "model=vae", "trainer.max_epochs=1", f"seed={seed}")
        train(config, tmp_path / folder)
    assert_same_runs(first, tmp_path / "same")
    assert rows(first)[0]["train/loss"] != rows(tmp_path / "other")[0]["train/loss"]


def test_an_autoencoder_has_no_kl_in_its_result(
    compose: Compose, train: Train, tmp_path: Path
) -> None:
    train(
        compose(*SMALL_8, "callbacks.progress=null", "model=autoencoder", "trainer.max_epochs=1"),
        tmp_path,
    )
    result = metrics(tmp_path)
    assert result["test"]["kl"] is None
    assert result["test"]["elbo"] is None
    assert result["test"]["loss"] == result["test"]["rec"]
    assert not (tmp_path / "figures" / "kl_per_dimension.png").exists()
    assert (tmp_path / "figures" / "prior_samples.png").exists()


@pytest.mark.parametrize(
    "override", ["trainer.precision=16-mixed", "data.val_fraction=2", "schedule.epochs=99"]
)
def test_a_wrong_configuration_writes_nothing(
    override: str, compose: Compose, train: Train, tmp_path: Path
) -> None:
    config = compose(*BARE_8, "model=lagging", "trainer.max_epochs=2", override)
    with pytest.raises(ValueError, match=override.split("=")[0].rpartition(".")[2]):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_damaged_checkpoint_is_named_before_anything_is_done(
    compose: Compose, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reslag_vae.training.build.build", None)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").write_bytes(b"half of it")
    with pytest.raises(RunError, match=r"last\.ckpt is damaged"):
        train(compose(*BARE_8, "model=vae", "trainer.max_epochs=1"), tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["checkpoints", "last.ckpt"]


# Real processes


KILLED = """
import runpy, signal, sys
from reslag_vae.training.steps import TrainingSteps

step, epochs = TrainingSteps._step, []

def step_or_die(self, images):
    epochs.append(self.system.current_epoch)
    if epochs.count(1) == 2:
        signal.raise_signal(signal.SIGKILL)
    return step(self, images)

TrainingSteps._step = step_or_die
sys.argv[0] = {script!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_a_killed_run_ends_as_if_it_had_not_been(
    compose: Compose, train: Train, tmp_path: Path
) -> None:
    """Before the second step of its second epoch; test_faults.py has random moments."""
    options = (
        *BARE_8,
        "model=lagging",
        "schedule.epochs=1",
        "schedule.ratio=2",
        "trainer.max_epochs=2",
    )
    whole, killed, script = (tmp_path / name for name in ("whole", "killed", "killed.py"))
    script.write_text(KILLED.format(script=str(ROOT / "train.py")))
    done = start(tmp_path, *options, f"hydra.run.dir={killed}", script=str(script))
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [row["epoch"] for row in rows(killed)] == ["1"]
    assert checkpoint(killed, "last")["epoch"] == 0
    resumed = start(tmp_path, f"resume={killed}")
    assert resumed.returncode == 0, resumed.stderr
    train(compose(*options), whole)
    assert_same_runs(whole, killed)
    # Nothing that a library says of its own inside or of a design of ours.
    assert "site-packages" not in resumed.stderr, resumed.stderr


@pytest.mark.slow
def test_two_devices_train_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The split has 1,536 training images, so that none is left out.

    They are those of the data set, which the second process has. For more digits in float64 see
    test_parallel.py.
    """
    monkeypatch.delenv("DIGITS")
    options = (
        *SMALL,
        "model=lagging",
        "schedule.epochs=1",
        "schedule.batches=fresh",
        "data.val_fraction=0.05",
    )
    alone, both = tmp_path / "alone", tmp_path / "both"
    begun = start(
        tmp_path, *options, f"hydra.run.dir={both}", "trainer.max_epochs=1", "trainer.devices=2"
    )
    assert begun.returncode == 0, begun.stderr
    assert (both / "train.log").read_text().count("epoch 1/1") == 1  # one process says it
    assert metrics(both)["epochs_run"] == 1
    resumed = start(tmp_path, f"resume={both}", "trainer.max_epochs=2", "trainer.devices=2")
    assert resumed.returncode == 0, resumed.stderr
    one_device = start(tmp_path, *options, f"hydra.run.dir={alone}", "trainer.max_epochs=2")
    assert one_device.returncode == 0, one_device.stderr
    for one, two in zip(rows(alone), rows(both), strict=True):
        assert {k: float(v) for k, v in two.items()} == pytest.approx(
            {k: float(v) for k, v in one.items()}, rel=2e-2
        )
    files = [{str(p.relative_to(f)) for p in f.rglob("*") if p.is_file()} for f in (alone, both)]
    assert files[1] - files[0] == set()


def under_torchrun(
    folder: Path, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run train.py in two processes that torchrun starts."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.run(
        [*torchrun, *command(*arguments)[1:]],
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.slow
def test_torchrun_starts_the_processes_within_a_slurm_job_too(tmp_path: Path) -> None:
    slurm = {
        "SLURM_NTASKS": "1",
        "SLURM_NTASKS_PER_NODE": "1",
        "SLURM_PROCID": "0",
        "SLURM_JOB_NAME": "job",
    }
    slurm |= {
        "SLURM_STEP_NUM_TASKS": "1",
        "SLURM_LOCALID": "0",
        "SLURM_NODEID": "0",
        "SLURM_JOB_ID": "1",
    }
    options = (*BARE, "model=vae", "trainer.max_epochs=1", "trainer.devices=2", "hydra.run.dir=run")
    done = under_torchrun(tmp_path, *options, **slurm)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("objective card") == 1
    assert metrics(tmp_path / "run")["epochs_run"] == 1


@pytest.mark.slow
def test_processes_that_the_run_does_not_know_of_are_refused(tmp_path: Path) -> None:
    done = under_torchrun(tmp_path, *BARE, "model=vae", "trainer.max_epochs=1", "hydra.run.dir=run")
    assert done.returncode == 1
    assert (
        "2 processes were started together, and the run has 1 device(s): set trainer.devices"
        in done.stderr
    )
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_jobs_of_a_multirun_have_one_device(tmp_path: Path) -> None:
    done = start(
        tmp_path,
        "-m",
        *BARE_8,
        "model=vae",
        "trainer.devices=2",
        f"hydra.sweep.dir={tmp_path / 'sweep'}",
    )
    assert done.returncode != 0
    assert "trainer.devices=2: a run of a multirun has one device" in done.stderr


def test_processes_started_together_need_the_name_of_their_folder(tmp_path: Path) -> None:
    done = start(tmp_path, *BARE_8, RANK="0", WORLD_SIZE="2")
    assert done.returncode == 1
    assert "name its folder by hydra.run.dir=" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "left", [{"RANK": "1"}, {"LOCAL_RANK": "1", "WORLD_SIZE": "1"}, {"SLURM_PROCID": "3"}], ids=str
)
def test_a_rank_that_was_left_to_a_single_process_is_none(
    left: dict[str, str], tmp_path: Path
) -> None:
    done = start(tmp_path, *BARE_8, "model=vae", "trainer.precision=16", **left)
    assert (done.returncode, "trainer.precision=16" in done.stderr) == (1, True)
    done = start(
        tmp_path, *BARE_8, "model=vae", "trainer.max_epochs=1", "hydra.run.dir=run", **left
    )
    assert done.returncode == 0, done.stderr
    assert "objective card" in done.stdout
    assert "Training in" in (tmp_path / "run" / "train.log").read_text()


@pytest.mark.parametrize(
    ("rank", "size", "said"),
    [
        ("0", "abc", "WORLD_SIZE=abc: must be"),
        ("one", "2", "RANK=one: must be"),
        ("2", "2", "RANK=2: must be a whole number from 0 to 1"),
    ],
)
def test_ranks_that_are_none_are_one_sentence(
    rank: str, size: str, said: str, tmp_path: Path
) -> None:
    done = start(tmp_path, *BARE_8, RANK=rank, WORLD_SIZE=size)
    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == 1


def test_the_other_jobs_of_a_multirun_go_on_after_one_fails(tmp_path: Path) -> None:
    options = (
        *BARE_8,
        "model=vae",
        "trainer.max_epochs=1",
        "data.val_fraction=2,0.1",
    )
    done = start(tmp_path, "-m", *options, f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert done.returncode != 0
    assert "data.val_fraction=2: must be a number above 0 and below 1" in done.stderr
    folders = {path.name: path for path in (tmp_path / "sweep").iterdir() if path.is_dir()}
    # The refused job leaves no folder, and its message says which one it is.
    assert set(folders) == {"1_vae_digits_elbo_0"}
    assert "0_vae_digits_elbo_0: data.val_fraction" in done.stderr
    assert metrics(folders["1_vae_digits_elbo_0"])["epochs_run"] == 1


def test_each_job_of_a_multirun_that_fails_says_why(tmp_path: Path) -> None:
    options = (*BARE, "model=vae", "data.val_fraction=2,3", f"hydra.sweep.dir={tmp_path / 'sweep'}")
    done = start(tmp_path, "-m", *options)
    assert done.returncode != 0
    for number, value in enumerate((2, 3)):
        assert f"{number}_vae_digits_elbo_0: data.val_fraction={value}: must be" in done.stdout
    assert not (tmp_path / "sweep").exists()


def test_a_callback_of_lightning_that_does_not_go_with_a_run_is_one_sentence(
    tmp_path: Path,
) -> None:
    callback = "+callbacks.rates._target_=lightning.pytorch.callbacks.LearningRateMonitor"
    done = start(tmp_path, *BARE_8, "model=vae", callback, "hydra.run.dir=run")
    assert done.returncode == 1
    assert done.stderr.startswith("callbacks: Lightning refuses: Cannot use `LearningRateMonitor`")
    assert len(done.stderr.splitlines()) == 1


def test_resuming_what_is_no_run_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = start(tmp_path, f"resume={tmp_path / 'empty'}")
    assert done.returncode != 0
    assert f"{tmp_path / 'empty'} is not the folder of a run" in done.stderr
    assert len(done.stderr.splitlines()) <= 3, done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_a_refused_command_leaves_nothing_behind(tmp_path: Path) -> None:
    done = start(tmp_path, *BARE_8, "model=vae", "trainer.precision=16-mixed", "hydra.run.dir=run")
    assert done.returncode != 0
    assert "trainer.precision=16-mixed: must be" in done.stderr
    assert len(done.stderr.splitlines()) <= 4, done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_second_stage_begins_with_a_run_and_outlives_it(
    compose: Compose, train: Train, tmp_path: Path
) -> None:
    first = (
        "model=vq_vae",
        "network.channels=[4,8]",
        "network.blocks=[1,1]",
        "posterior.codes=20",
        "trainer.max_epochs=1",
    )
    train(compose(*BARE_8, *first), tmp_path / "first")
    second = (
        "model=code_prior",
        "run=first",
        "data.batch_size=128",
        "prior.channels=4",
        "prior.layers=2",
        "trainer.max_epochs=1",
        "trainer.accelerator=cpu",
        "callbacks.progress=null",
        "logger=none",
    )
    refused = start(tmp_path, *second, "network=plain")
    assert refused.stderr.startswith("network=plain: cannot be set beside run=")
    assert not (tmp_path / "runs").exists()
    done = start(tmp_path, *second)
    assert done.returncode == 0, done.stderr
    # The data are not named on the command line.
    (made,) = (tmp_path / "runs" / "digits" / "code_prior").iterdir()
    made.rename(tmp_path / "second")
    before, after = (metrics(tmp_path / name) for name in ("first", "second"))
    assert after["test"]["rec"] == before["test"]["rec"]
    assert after["test"]["kl"] != before["test"]["kl"]

    shutil.rmtree(tmp_path / "first")
    longer = start(tmp_path, "resume=second", "trainer.max_epochs=2")
    assert longer.returncode == 0, longer.stderr
    assert metrics(tmp_path / "second")["epochs_run"] == 2
    samples = reslag_vae.load(tmp_path / "second").sample(3, torch.Generator().manual_seed(0))
    assert samples.shape == (3, 1, 8, 8)
