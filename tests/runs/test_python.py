"""Whole runs that are started in Python."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import Callback, Trainer
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import reslag_vae
from reslag_vae._runtime import process
from reslag_vae._runtime.errors import ConfigError
from reslag_vae.evaluation.main import evaluate
from reslag_vae.models import FlatModel
from reslag_vae.networks import Network, PlainNetwork
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import IMAGES_FILE
from reslag_vae.runs.lightning_tracker import LightningTracker
from reslag_vae.runs.lock import is_occupied, occupied
from reslag_vae.sharing.export import export
from reslag_vae.variants import OptimalSigmaVAE
from tests.recorder import Recorder
from tests.running import EIGHT, ROOT
from tests.trainers import silent_trainer

pytestmark = pytest.mark.usefixtures("small_digits")

SHAPE = (1, 8, 8)
PIXELS = torch.from_numpy(load_digits().images[:150])[:, None] / 16
BARE = (
    "trainer.accelerator=cpu",
    "trainer.num_sanity_val_steps=0",
    "callbacks.images=null",
    "callbacks.collapse=null",
    "callbacks.progress=null",
    "callbacks.curves=null",
)
QUICK = (*BARE, "recipe.channels=[2,4]", "recipe.blocks=[1,1]")
SHORT = (*QUICK, "trainer.max_epochs=1")
# On `small_digits`
ON_DIGITS = (*SHORT, "data=digits", *EIGHT)
# Of a model that was made by hand
SHORT_BY_HAND = (*BARE, "trainer.max_epochs=1")


class OwnNetwork(Network):
    """An encoder and a decoder of one layer each."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__(*layers(latent_dim), SHAPE, latent_dim)


def layers(latent_dim: int) -> tuple[nn.Module, nn.Module]:
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 2 * latent_dim))
    decoder = nn.Sequential(nn.Linear(latent_dim, 64), nn.Unflatten(1, SHAPE))
    return encoder, decoder


def same(one: Any, other: Any) -> bool:
    return torch.equal(one.encode(PIXELS), other.encode(PIXELS))


def same_samples(one: Any, other: Any) -> bool:
    return torch.equal(*(own.sample(3, torch.Generator().manual_seed(0)) for own in (one, other)))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The folder of a run on an array without labels, and its model."""
    folder = tmp_path_factory.mktemp("python") / "run"
    words = (*QUICK, "recipe.updates=20", "recipe.aggressive_updates=10")
    process.allow_rounded_products(False)
    torch.manual_seed(5)
    np.random.seed(5)
    expected = [float(torch.rand(())), np.random.rand()]
    torch.manual_seed(5)
    np.random.seed(5)
    model = reslag_vae.fit(PIXELS.numpy(), *words, model="lagging", folder=folder)
    drawn = [float(torch.rand(())), np.random.rand()]
    assert drawn == expected, "the program's random numbers do not go on"
    assert torch.get_float32_matmul_precision() == "highest"
    return folder, model


def test_a_run_in_python_leaves_what_one_of_the_command_line_leaves(
    run: tuple[Path, Any], tmp_path: Path
) -> None:
    folder, model = run
    assert same(model, reslag_vae.load(folder))
    export(folder, tmp_path / "export")
    assert same(model, reslag_vae.load(tmp_path / "export"))
    result = json.loads((folder / "metrics.json").read_text())
    assert (result["data"], result["model"], result["images"]["test"]) == ("arrays", "lagging", 15)
    assert "Training in" in (folder / "train.log").read_text()
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not logging.getLogger("reslag_vae").handlers


def test_a_length_in_updates_becomes_epochs_of_the_data(run: tuple[Path, Any]) -> None:
    config = reslag_vae.runs.config.load_config(run[0])
    # 20 updates at 5 minibatches a pass, of which half are aggressive; no fewer than 5 epochs
    assert config.data.passes == 1
    assert (config.trainer.max_epochs, config.schedule.epochs) == (5, 2)


def test_images_of_an_array_are_evaluated_where_the_run_has_moved(
    run: tuple[Path, Any], compose: Callable[..., Any], tmp_path: Path
) -> None:
    folder = run[0].rename(tmp_path / "moved")
    words = (f"run={folder}", "samples=2", "tsne=0", "figures=false", "logger=none")
    try:
        (found,) = evaluate(compose(*words, script="evaluate"))
        assert found.subject.data.num_classes == 0
        images = (folder / IMAGES_FILE).rename(tmp_path / IMAGES_FILE)
        with pytest.raises(reslag_vae.data.DataError, match="kept with the run up to 1 GB"):
            evaluate(compose(*words, script="evaluate"))
        evaluate(compose(*words, f"folder={images}", script="evaluate"))
        images.rename(folder / IMAGES_FILE)
    finally:
        folder.rename(run[0])


def test_a_second_run_is_not_mixed_with_the_first_one_which_goes_on(run: tuple[Path, Any]) -> None:
    folder, _ = run
    with pytest.raises(RunError, match="holds a run already"):
        reslag_vae.fit(PIXELS, *SHORT, folder=folder)
    reslag_vae.fit(resume=folder, **{"trainer.max_epochs": 6})
    assert len((folder / "metrics.csv").read_text().splitlines()) == 7


@pytest.mark.parametrize("stopped", ["identity.write_identity", "save_config"])
def test_a_run_in_python_that_stops_before_it_begins_can_begin_again(
    stopped: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its images, which may take long to write, are whole before there is a run that needs them."""
    folder = tmp_path / "run"

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(f"reslag_vae.training.preparation.{stopped}", stop)
        with pytest.raises(KeyboardInterrupt):
            reslag_vae.fit(PIXELS, *SHORT, model="vae", folder=folder)
    if (folder / "config.yaml").exists():
        reslag_vae.fit(resume=folder)
    else:
        with pytest.raises(reslag_vae.data.DataError, match=r"images\.npz is in the way: it holds"):
            reslag_vae.fit(PIXELS / 2, *SHORT, model="vae", folder=folder)
        reslag_vae.fit(PIXELS, *SHORT, model="vae", folder=folder)
    assert (folder / "metrics.json").exists()


def test_labels_and_a_loader_train_as_an_array_does(tmp_path: Path) -> None:
    labels = torch.arange(150) % 3
    loader = DataLoader(TensorDataset(PIXELS, labels), batch_size=40)
    models = [
        reslag_vae.fit(PIXELS, *SHORT, labels=labels, model="vae", folder=tmp_path / "array"),
        reslag_vae.fit(loader, *SHORT, model="vae", folder=tmp_path / "loader"),
    ]
    assert same(*models)
    folders = [tmp_path / own for own in ("array", "loader")]
    one, other = (json.loads((own / "run.json").read_text())["data"] for own in folders)
    assert one["digests"] == other["digests"]
    assert one["classes"] == ["0", "1", "2"]


def test_a_folder_of_pictures_trains_in_one_line(tmp_path: Path) -> None:
    from torchvision.utils import save_image

    (tmp_path / "my pictures").mkdir()
    for number, image in enumerate(PIXELS[:12]):
        save_image(image, tmp_path / "my pictures" / f"{number}.png")
    words = (*SHORT, "recipe.latent_dim=2", f"data.root={tmp_path}")
    model = reslag_vae.fit(
        tmp_path / "my pictures", *words, size=16, channels=1, model="vae", folder=tmp_path / "run"
    )
    assert model.image_shape == (1, 16, 16)


def test_an_own_network_of_an_own_class_trains_and_loads(tmp_path: Path) -> None:
    model = reslag_vae.fit(
        PIXELS, *SHORT_BY_HAND, model=OptimalSigmaVAE(OwnNetwork(3)), folder=tmp_path / "run"
    )
    with pytest.raises(RunError, match="none of this package's parts"):
        reslag_vae.load(tmp_path / "run")
    assert same(model, reslag_vae.load(tmp_path / "run", trust=(__name__,)))
    model.save(tmp_path / "saved")
    assert same(model, reslag_vae.load(tmp_path / "saved", trust=(__name__,)))


def test_an_own_encoder_and_decoder_train_in_three_lines(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    encoder, decoder = layers(3)
    network = Network(encoder, decoder, SHAPE, 3)
    model = reslag_vae.fit(
        PIXELS, *SHORT_BY_HAND, model=OptimalSigmaVAE(network), folder=tmp_path / "run"
    )
    assert model.encode(PIXELS).shape == (150, 3)
    assert "does not hold" in caplog.text
    with pytest.raises(RunError, match="none of this package's parts"):
        reslag_vae.load(tmp_path / "run")
    with pytest.raises(RunError, match="files hold no code"):
        model.save(tmp_path / "saved")


def test_what_build_returns_is_a_whole_run(tmp_path: Path) -> None:
    words = (*ON_DIGITS, "model=vae")
    process.allow_rounded_products(False)
    data, model, trainer = reslag_vae.build(*words, folder=tmp_path / "run")
    assert torch.get_float32_matmul_precision() == "high"  # as on the command line
    assert not (tmp_path / "run").exists()
    with torch.inference_mode(), pytest.raises(ConfigError, match="nothing is trained in it"):
        trainer.fit(model, data)
    assert not (tmp_path / "run").exists()
    trainer.fit(model, data)
    model.eval()
    loaded = reslag_vae.load(tmp_path / "run")
    images = data.split("test").images[:5]
    assert torch.equal(model.model.encode(images), loaded.encode(images))
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["epoch"] == 1
    assert not is_occupied(tmp_path / "run")


def test_what_build_returns_has_its_folder_to_itself(tmp_path: Path) -> None:
    class Other(Callback):
        """Another process that would go on with the run, and then an error."""

        def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
            with pytest.raises(RunError, match="another process is at work in this folder"):
                reslag_vae.fit(resume=tmp_path / "run")
            raise InterruptedError

    data, model, trainer = reslag_vae.build(*ON_DIGITS, folder=tmp_path / "run")
    trainer.callbacks.append(Other())  # type: ignore[attr-defined]
    with pytest.raises(InterruptedError):
        trainer.fit(model, data)
    assert not is_occupied(tmp_path / "run")
    data, model, trainer = reslag_vae.build(*ON_DIGITS, folder=tmp_path / "other")
    with occupied(tmp_path / "other"), pytest.raises(RunError, match="another process is at work"):
        trainer.fit(model, data)


@pytest.mark.parametrize("fails", [False, True])
def test_the_loggers_of_what_build_returns_are_closed(
    fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run of the process would be written into a run of W&B's that is still open."""
    codes = []

    class Closed(LightningTracker):
        def close(self, exit_code: int = 0) -> None:
            codes.append(exit_code)

    class Failing(Callback):
        def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
            raise InterruptedError

    trackers = [Closed(Recorder(str(tmp_path)))]
    monkeypatch.setattr("reslag_vae.training.build.build_trackers", lambda *_: trackers)
    words = (*ON_DIGITS, "logger=csv")
    data, model, trainer = reslag_vae.build(*words, folder=tmp_path / "run")
    if fails:
        trainer.callbacks.append(Failing())  # type: ignore[attr-defined]
    with pytest.raises(InterruptedError) if fails else nullcontext():
        trainer.fit(model, data)
    assert codes == [int(fails)]


def test_a_second_stage_begins_with_its_run(run: tuple[Path, Any], tmp_path: Path) -> None:
    folder, _ = run
    words = (*SHORT_BY_HAND, "model=fitted_prior", "prior=mixture")
    second = reslag_vae.fit(None, *words, run=folder, folder=tmp_path / "fitted")
    data, system, trainer = reslag_vae.build(*words, f"run={folder}", folder=tmp_path / "built")
    trainer.fit(system, data)
    for own in (second, reslag_vae.load(tmp_path / "built")):
        assert own.parts()["prior"].name == "mixture"
        assert same(reslag_vae.load(folder), own)
    assert same_samples(second, reslag_vae.load(tmp_path / "built"))


def test_a_variant_by_hand_trains_on_any_loader_and_its_checkpoint_loads(tmp_path: Path) -> None:
    system = OptimalSigmaVAE(PlainNetwork(SHAPE, 3, [2, 4], [1, 1]))
    trainer = silent_trainer(max_epochs=1)
    loader = DataLoader(TensorDataset(PIXELS.float()), batch_size=50)
    trainer.fit(system, loader, loader)
    trainer.save_checkpoint(tmp_path / "by_hand.ckpt")
    system.eval()
    loaded = reslag_vae.load(tmp_path / "by_hand.ckpt")
    assert isinstance(loaded, FlatModel)
    assert same(system.model, loaded)
    system.model.save(tmp_path / "saved")
    assert same(loaded, reslag_vae.load(tmp_path / "saved"))
    with pytest.raises(RunError, match="not an empty folder"):
        system.model.save(tmp_path / "saved")


def test_ctrl_c_raises_and_leaves_a_run_that_can_go_on(tmp_path: Path) -> None:
    def interrupt() -> None:
        while not (tmp_path / "run" / "checkpoints" / "last.ckpt").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    words = (*QUICK, "trainer.max_epochs=100000")
    with ThreadPoolExecutor(1) as threads:
        stopping = threads.submit(interrupt)
        with pytest.raises(KeyboardInterrupt, match="goes on"):
            reslag_vae.fit(PIXELS, *words, model="vae", folder=tmp_path / "run")
        stopping.result()
    assert signal.getsignal(signal.SIGINT) is before
    epochs = len((tmp_path / "run" / "metrics.csv").read_text().splitlines())
    model = reslag_vae.fit(resume=tmp_path / "run", **{"trainer.max_epochs": epochs})
    assert model.encode(PIXELS).isfinite().all()


def test_a_run_in_a_thread_is_that_of_the_main_thread(tmp_path: Path) -> None:
    words = ON_DIGITS

    def fitted(name: str) -> Tensor:
        model = reslag_vae.fit(None, *words, model="vae", folder=tmp_path / name)
        return model.decode(torch.zeros(1, model.latent_dim))

    with ThreadPoolExecutor(1) as threads:
        assert torch.equal(threads.submit(fitted, "thread").result(), fitted("main"))


IN_A_JOB = """
import hydra
from omegaconf import DictConfig

import reslag_vae


@hydra.main(version_base="1.3", config_path=None)
def main(config: DictConfig) -> None:
    words = {words!r}
    reslag_vae.fit(None, *words, data="digits", model="vae", folder="run")
    print("own job:", hydra.core.hydra_config.HydraConfig.get().job.name)


main()
"""


@pytest.mark.slow
def test_a_run_within_another_program_of_hydras_leaves_that_alone(tmp_path: Path) -> None:
    words = (*SHORT, "+trainer.limit_train_batches=1")
    (tmp_path / "theirs.py").write_text(IN_A_JOB.format(words=words))
    done = subprocess.run(
        [sys.executable, "theirs.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "own job: theirs" in done.stdout
    assert (tmp_path / "run" / "metrics.json").is_file()
