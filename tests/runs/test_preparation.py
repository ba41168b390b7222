"""A run is checked before anything of it is written, and goes on only as the run that it was."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from PIL import Image

import reslag_vae
from reslag_vae._runtime.errors import ConfigError, UserError
from reslag_vae.data import DataError
from reslag_vae.evaluation.main import evaluate
from reslag_vae.evaluation.metrics import classifier
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import read_metrics
from reslag_vae.training import job_folder
from reslag_vae.training.callbacks import BestAndLast
from reslag_vae.training.resume import resumed
from tests.running import BARE

Compose = Callable[..., DictConfig]
Train = Callable[[DictConfig, Path], float]


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def draw(path: Path, seed: int) -> None:
    """A picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture(scope="module")
def trained(compose: Compose, train: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`pictures` and `run`, a finished run of three epochs on them."""
    place = tmp_path_factory.mktemp("trained")
    (place / "pictures").mkdir()
    for number in range(200):
        draw(place / "pictures" / f"{number:03}.png", number)
    options = [option for option in BARE if not option.startswith(("data", "recipe"))]
    config = compose(
        *options,
        "model=vae",
        "data=image_folder",
        f"data.folder={place / 'pictures'}",
        f"data.root={place}",
        "data.size=8",
        "data.batch_size=64",
        "recipe.channels=[4]",
        "recipe.blocks=[1]",
        "recipe.latent_dim=2",
        "trainer.max_epochs=3",
    )
    train(config, place / "run")
    return place


@pytest.fixture
def place(trained: Path, tmp_path: Path) -> Path:
    """The same, of the test's own, moved there."""
    shutil.copytree(trained, tmp_path / "place", symlinks=True)
    return tmp_path / "place"


@pytest.fixture
def moved(place: Path) -> list[str]:
    """Says to a resumed run where its data are now."""
    return [f"data.root={place}", f"data.folder={place / 'pictures'}"]


CHANGES: dict[str, Callable[[Path], object]] = {
    "added": lambda pictures: draw(pictures / "zz.png", 1000),
    "removed": lambda pictures: (pictures / "100.png").unlink(),
    "one for another": lambda pictures: (
        (pictures / "000.png").unlink(),
        draw(pictures / "zz.png", 1000),
    ),
    "renamed": lambda pictures: (pictures / "000.png").rename(pictures / "zz.png"),
    "swapped": lambda pictures: (
        (pictures / "000.png").rename(pictures / "x"),
        (pictures / "001.png").rename(pictures / "000.png"),
        (pictures / "x").rename(pictures / "001.png"),
    ),
    "edited": lambda pictures: draw(pictures / "100.png", 1000),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_run_does_not_go_on_with_other_data(
    change: str, place: Path, moved: list[str], train: Train, caplog: Any
) -> None:
    CHANGES[change](place / "pictures")
    before = content(place / "run")
    longer = [*moved, "trainer.max_epochs=4"]
    with pytest.raises(RunError, match=r"its data have changed: .*changed_data=accept"):
        train(resumed(place / "run", longer), place / "run")
    assert content(place / "run") == before

    train(resumed(place / "run", [*longer, "changed_data=accept"]), place / "run")
    assert "may hold images of its train" in caplog.text
    assert json.loads((place / "run" / "run.json").read_text())["changed_data"] is True


@pytest.mark.parametrize("change", CHANGES)
def test_a_run_is_not_evaluated_on_other_data(change: str, place: Path, compose: Compose) -> None:
    CHANGES[change](place / "pictures")
    before = content(place / "run")
    options = ("figures=false", "samples=1", f"root={place}", f"folder={place / 'pictures'}")
    config = compose(f"run={place / 'run'}", *options, script="evaluate")
    with pytest.raises(DataError, match=r"its data have changed: .*changed_data=accept"):
        evaluate(config)
    assert content(place / "run") == before


def test_other_data_are_evaluated_where_that_is_accepted(
    place: Path, compose: Compose, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(classifier, "STEPS", 2)
    CHANGES["one for another"](place / "pictures")
    options = (
        "figures=false",
        "samples=1",
        f"root={place}",
        f"folder={place / 'pictures'}",
        "changed_data=accept",
    )
    evaluate(compose(f"run={place / 'run'}", *options, script="evaluate"))
    assert "may know images of test" in caplog.text
    assert (place / "run" / "evaluation.json").exists()


def test_a_picture_edited_with_the_same_size_and_time_is_another(
    place: Path, moved: list[str], train: Train
) -> None:
    train(resumed(place / "run", moved), place / "run")
    path = place / "pictures" / "100.png"
    before = path.stat()
    draw(path, 1000)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    with pytest.raises(RunError, match=r"its data have changed: .*not the same"):
        train(resumed(place / "run", moved), place / "run")


def test_moved_data_are_the_same_data(place: Path, moved: list[str], train: Train) -> None:
    train(resumed(place / "run", [*moved, "trainer.max_epochs=4"]), place / "run")
    assert json.loads((place / "run" / "metrics.json").read_text())["epochs_run"] == 4
    assert json.loads((place / "run" / "run.json").read_text())["changed_data"] is False


def test_a_run_of_an_earlier_version_is_compared_by_its_numbers(
    place: Path, moved: list[str], train: Train
) -> None:
    (place / "run" / "run.json").unlink()
    draw(place / "pictures" / "zz.png", 1000)
    with pytest.raises(RunError, match=r"its data have changed: .* had .* images and has"):
        train(resumed(place / "run", moved), place / "run")
    (place / "pictures" / "zz.png").unlink()
    train(resumed(place / "run", [*moved, "trainer.max_epochs=4"]), place / "run")
    assert (place / "run" / "run.json").exists()


def test_a_run_that_has_lost_its_identity_takes_that_of_its_checkpoints(
    place: Path, moved: list[str], train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is interrupted before it has saved a further one."""
    run = place / "run"
    identity = json.loads((run / "run.json").read_text())
    (run / "run.json").unlink()
    longer = [*moved, "trainer.max_epochs=4"]

    def stop(*_: Any) -> None:
        raise InterruptedError

    with monkeypatch.context() as context:
        context.setattr(BestAndLast, "on_train_epoch_end", stop)
        with pytest.raises(InterruptedError):
            train(resumed(run, longer), run)
    assert json.loads((run / "run.json").read_text()) == identity
    train(resumed(run, longer), run)


def test_a_root_that_is_not_here_is_not_made(
    place: Path, train: Train, compose: Compose, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    before = content(place / "run")
    with pytest.raises(ConfigError, match=f"data.root={gone}: is not here"):
        train(resumed(place / "run", [f"data.root={gone}"]), place / "run")
    with pytest.raises(RunError, match=f"the folder of its data, {gone}, is not here"):
        evaluate(compose(f"run={place / 'run'}", f"root={gone}", script="evaluate"))
    assert not gone.exists()
    assert content(place / "run") == before


def test_a_refused_command_changes_nothing_of_a_run(
    place: Path, moved: list[str], train: Train
) -> None:
    before = content(place / "run")
    for override in (
        "trainer.max_epochs=1",
        "trainer.max_epochs=0",
        "trainer.precision=16",
        "changed_data=perhaps",
    ):
        with pytest.raises(UserError, match=override.partition("=")[0].rpartition(".")[2]):
            train(resumed(place / "run", [*moved, override]), place / "run")
        assert content(place / "run") == before
    train(resumed(place / "run", moved), place / "run")


def test_a_run_without_its_checkpoints_does_not_begin_anew(
    place: Path, moved: list[str], train: Train
) -> None:
    for name in ("last", "previous"):
        (place / "run" / "checkpoints" / f"{name}.ckpt").unlink()
    before = content(place / "run")
    with pytest.raises(RunError, match=r"last\.ckpt and previous\.ckpt are gone"):
        train(resumed(place / "run", moved), place / "run")
    assert content(place / "run") == before


@pytest.mark.parametrize("spoilt", [b"half of it", None])
def test_a_run_without_its_best_checkpoint_says_so_before_it_trains(
    spoilt: bytes | None, place: Path, moved: list[str], train: Train
) -> None:
    best = place / "run" / "checkpoints" / "best.ckpt"
    best.unlink() if spoilt is None else best.write_bytes(spoilt)
    before = content(place / "run")
    longer = [*moved, "trainer.max_epochs=4"]
    with pytest.raises(RunError, match=r"best\.ckpt is .*copy last\.ckpt to best\.ckpt") as error:
        train(resumed(place / "run", longer), place / "run")
    assert "\n" not in str(error.value)
    assert content(place / "run") == before
    shutil.copy(best.with_name("last.ckpt"), best)
    value = train(resumed(place / "run", longer), place / "run")
    losses = {row["epoch"]: row["val/loss"] for row in read_metrics(place / "run")}
    result = json.loads((place / "run" / "metrics.json").read_text())
    assert value == result["monitored"]["value"] == min(losses[3], losses[4])
    assert losses[result["epoch"]] == value


def test_a_finished_run_with_another_best_checkpoint_is_measured_anew(
    place: Path, moved: list[str], train: Train
) -> None:
    run = place / "run"
    result = json.loads((run / "metrics.json").read_text())
    other = "previous" if result["epoch"] == 3 else "last"
    shutil.copy(run / "checkpoints" / f"{other}.ckpt", run / "checkpoints" / "best.ckpt")
    train(resumed(run, moved), run)
    after = json.loads((run / "metrics.json").read_text())
    assert after["epoch"] == {"previous": 2, "last": 3}[other]
    assert after["monitored"] != result["monitored"]


def other_run(checkpoint: dict[str, Any]) -> None:
    checkpoint["hyper_parameters"]["run"] = "0" * 16


def other_model(checkpoint: dict[str, Any]) -> None:
    checkpoint["hyper_parameters"]["model"]["optimizer"]["lr"] = 0.1


def no_epoch(checkpoint: dict[str, Any]) -> None:
    checkpoint["epoch"] = -7


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (other_run, "of another run"),
        (other_model, "of another model"),
        (no_epoch, "does not say of which epoch"),
    ],
)
def test_a_checkpoint_of_another_run_is_not_gone_on_from(
    spoil: Callable[[dict[str, Any]], None],
    message: str,
    place: Path,
    moved: list[str],
    train: Train,
) -> None:
    path = place / "run" / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    spoil(checkpoint)
    torch.save(checkpoint, path)
    before = content(place / "run")
    with pytest.raises(RunError, match=rf"last\.ckpt is .*{message}") as error:
        train(resumed(place / "run", moved), place / "run")
    assert "\n" not in str(error.value)
    assert content(place / "run") == before


def test_a_configuration_that_was_edited_is_not_gone_on_with(
    place: Path, moved: list[str], train: Train
) -> None:
    config = OmegaConf.load(place / "run" / "config.yaml")
    config.model.optimizer.lr = 0.5
    OmegaConf.save(config, place / "run" / "config.yaml")
    with pytest.raises(RunError, match=r"last\.ckpt is of another model than .*config\.yaml"):
        train(resumed(place / "run", moved), place / "run")


@pytest.fixture
def doubles() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("doubles")
def test_loading_leaves_torch_as_it_was(trained: Path) -> None:
    state = torch.get_rng_state()
    model = reslag_vae.load(trained / "run")
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_default_dtype() is torch.float64
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model.encode(torch.zeros(2, 3, 8, 8, dtype=torch.uint8)).shape == (2, 2)


@pytest.mark.parametrize("which", ["best", "last", "previous"])
def test_a_checkpoint_is_loaded_by_its_file(which: str, trained: Path) -> None:
    model = reslag_vae.load(trained / "run" / "checkpoints" / f"{which}.ckpt")
    assert model.encode(torch.zeros(2, 3, 8, 8, dtype=torch.uint8)).shape == (2, 2)


def test_what_is_asked_of_load_is_checked(trained: Path) -> None:
    with pytest.raises(ValueError, match="which='worst'"):
        reslag_vae.load(trained / "run", "worst")
    with pytest.raises(ConfigError, match="trust="):
        reslag_vae.load(trained / "run", trust=("a b",))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(value: float, place: Path) -> None:
    path = place / "run" / "checkpoints" / "best.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    name = "model.network.inference.0.0.weight"
    checkpoint["state_dict"][name][0, 0, 0, 0] = value
    torch.save(checkpoint, path)
    with pytest.raises(RunError, match="not finite"):
        reslag_vae.load(place / "run")


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float64, torch.float16])
def test_weights_of_another_type_are_refused(dtype: torch.dtype, place: Path) -> None:
    path = place / "run" / "checkpoints" / "best.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    name = "model.network.inference.0.0.weight"
    checkpoint["state_dict"][name] = checkpoint["state_dict"][name].to(dtype)
    torch.save(checkpoint, path)
    with pytest.raises(RunError, match=f"{name} is .* of {dtype}"):
        reslag_vae.load(place / "run")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["+trainer.limit_val_batches=0.01"],
            "trainer.limit_val_batches=0.01: leaves none of|is none of the",
        ),
        (
            ["+trainer.limit_train_batches=0.001"],
            "trainer.limit_train_batches=0.001: leaves none of|is none of the",
        ),
    ],
)
def test_a_limit_that_leaves_nothing_is_refused_before_anything_is_written(
    options: list[str], message: str, place: Path, moved: list[str], train: Train
) -> None:
    before = content(place / "run")
    with pytest.raises(ConfigError, match=message):
        train(resumed(place / "run", ["trainer.max_epochs=4", *options, *moved]), place / "run")
    assert content(place / "run") == before


@pytest.mark.parametrize(("name", "kind"), [("figures", "file"), ("metrics.csv", "folder")])
def test_what_is_in_the_way_is_told_before_anything_is_written(
    name: str, kind: str, place: Path, moved: list[str], train: Train
) -> None:
    path = place / "run" / name
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    path.touch() if kind == "file" else path.mkdir()
    before = content(place / "run")
    with pytest.raises(RunError, match="is in the way"):
        train(resumed(place / "run", ["trainer.max_epochs=4", *moved]), place / "run")
    assert content(place / "run") == before


def nested(checkpoint: dict[str, Any]) -> None:
    """A small file, and ten to the twelve values for whoever goes through them."""
    part: list[Any] = ["x"]
    for _ in range(12):
        part = [part] * 10
    checkpoint["hyper_parameters"]["model"]["model"]["network"]["more"] = part


def expanded(checkpoint: dict[str, Any]) -> None:
    """Four bytes that look like 3.6 gigabytes."""
    name = next(iter(checkpoint["state_dict"]))
    checkpoint["state_dict"][name] = torch.zeros(1).expand(30_000, 30_000)


@pytest.mark.parametrize("grow", [nested, expanded])
def test_what_grows_without_end_is_refused_at_once(
    grow: Callable[[dict[str, Any]], None], place: Path
) -> None:
    path = place / "run" / "checkpoints" / "best.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    grow(checkpoint)
    torch.save(checkpoint, path)
    with pytest.raises(
        RunError, match=r"larger than what is stored|not a checkpoint of this package"
    ):
        reslag_vae.load(place / "run")


@pytest.mark.parametrize("part", ["recipe", "monitor", "callbacks", "trainer", "seed"])
def test_a_configuration_that_lacks_a_part_is_one_sentence(
    part: str, place: Path, moved: list[str], train: Train
) -> None:
    tree = OmegaConf.load(place / "run" / "config.yaml")
    del tree[part]
    OmegaConf.save(tree, place / "run" / "config.yaml")
    with pytest.raises(UserError, match=part):
        train(resumed(place / "run", ["trainer.max_epochs=4", *moved]), place / "run")


def test_a_log_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "link").symlink_to("mine")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(SystemExit, match="is not a regular file"):
            job_folder.refuse_log(tmp_path / name)
    job_folder.refuse_log(tmp_path / "mine")
    job_folder.refuse_log(tmp_path / "nothing")
