"""Runs read back, whole, damaged, foreign and malicious."""

import json
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

import reslag_vae
from reslag_vae.data import DataError, Digits
from reslag_vae.models import FlatModel
from reslag_vae.networks import LightResidualNetwork
from reslag_vae.runs.config import load_config
from reslag_vae.runs.data import load_data
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.load import Run, read_run
from reslag_vae.runs.migrations import SCHEMA
from reslag_vae.training.build import build_system
from reslag_vae.training.stored_config import save_config

Compose = Callable[..., DictConfig]

OURS = "reslag_vae.variants.VAE"
SMALL = (
    "data=digits",
    "recipe.channels=[2,4]",
    "recipe.blocks=[1,1]",
    "logger=none",
    "trainer.accelerator=cpu",
)


def save(folder: Path, which: str, config: Any, state: dict[str, torch.Tensor]) -> None:
    """A checkpoint with what `load` reads of it."""
    (folder / "checkpoints").mkdir()
    own = {"schema": SCHEMA, "model": config}
    checkpoint = {"state_dict": state, "hyper_parameters": own}
    torch.save(checkpoint, folder / "checkpoints" / f"{which}.ckpt")


@pytest.mark.parametrize("which", ["best", "last"])
def test_a_model_comes_back_from_its_checkpoint(
    which: str, compose: Compose, tmp_path: Path
) -> None:
    config = compose("model=reslag_light", "recipe.residual=true", *SMALL)
    model = build_system(config)
    save(
        tmp_path,
        which,
        OmegaConf.to_container(config.model, resolve=True),
        dict(model.state_dict()),
    )
    # What config.yaml says does not count.
    (tmp_path / "config.yaml").write_text("model: {_target_: no.such.model}")
    loaded = reslag_vae.load(tmp_path, which)
    assert isinstance(loaded, FlatModel)
    assert isinstance(loaded.network, LightResidualNetwork)
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    images = torch.rand(3, 1, 28, 28)
    assert torch.equal(loaded.reconstruct(images), model.eval().model.reconstruct(images))
    assert not loaded.reconstruct(images).requires_grad


class Payload:
    """A pickle that makes a folder when it is loaded without care."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


@pytest.fixture
def careless(tmp_path: Path) -> tuple[dict[str, Any], str, Path]:
    """A node and a reference that would load a pickle carelessly, and the folder it would make."""
    built = tmp_path / "built"
    torch.save(Payload(built), tmp_path / "evil.pt")
    node = {"_target_": "torch.load", "f": str(tmp_path / "evil.pt"), "weights_only": False}
    reference = (
        f"${{oc.create:{{_target_:torch.load,f:'{tmp_path / 'evil.pt'}',weights_only:false}}}}"
    )
    return node, reference, built


@pytest.mark.parametrize("hidden", ["tuple", "reference", "key", "set", "object"])
def test_nothing_foreign_is_built_out_of_hiding(
    hidden: str, careless: tuple[dict[str, Any], str, Path], tmp_path: Path
) -> None:
    node, reference, built = careless
    extra: dict[str, Any] = {
        "tuple": {"x": (node,)},
        "reference": {"x": reference},
        "key": {reference: 1},
        "set": {"x": {1, 2}},
        "object": {"x": torch.zeros(1)},
    }[hidden]
    save(tmp_path, "best", {"_target_": OURS, "model": {}, "objective": {}} | extra, {})
    with pytest.raises(RunError, match=r"best.ckpt is not a checkpoint of this package"):
        reslag_vae.load(tmp_path)
    assert not built.exists()
    torch.load(tmp_path / "evil.pt", weights_only=False)
    assert built.exists(), "the payload is harmless: this test would prove nothing"


@pytest.mark.parametrize("place", ["data.x", "wandb.x", "seed"])
def test_a_configuration_with_references_is_none_of_ours(
    place: str, careless: tuple[dict[str, Any], str, Path], run: Path
) -> None:
    _, reference, built = careless
    config = OmegaConf.load(run / "config.yaml")
    OmegaConf.update(config, place, reference, force_add=True)
    OmegaConf.save(config, run / "config.yaml")
    with pytest.raises(RunError, match=r"config\.yaml is not the configuration of a run"):
        load_data(run)
    assert not built.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"hyper_parameters": None}, "not a checkpoint of this package"),
        ({"hyper_parameters": [1]}, "not a checkpoint of this package"),
        ({"hyper_parameters": {"model": [1]}}, "not a checkpoint of this package"),
        ({"hyper_parameters": {"model": {}}}, "not a checkpoint of this package"),
        ({"epoch": None}, "does not say of which epoch"),
        ({"epoch": "3"}, "does not say of which epoch"),
    ],
)
def test_a_foreign_checkpoint_is_named(content: dict[str, Any], message: str, run: Path) -> None:
    (run / "checkpoints").mkdir()
    whole: Any = OmegaConf.to_container(load_config(run).model)
    state = build_system(OmegaConf.create({"model": whole})).state_dict()
    own = {"schema": SCHEMA, "model": whole}
    other = {"state_dict": dict(state), "epoch": 3, "hyper_parameters": own}
    torch.save(other | content, run / "checkpoints" / "best.ckpt")
    (run / "metrics.csv").write_text("epoch\n1\n")
    with pytest.raises(RunError, match=rf"best.ckpt is .*{message}"):
        read_run(run)


def test_a_checkpoint_of_another_run_is_named(run: Path, compose: Compose) -> None:
    config: Any = OmegaConf.to_container(compose("model=beta_vae", *SMALL).model, resolve=True)
    save(run, "best", config, dict(build_system(OmegaConf.create({"model": config})).state_dict()))
    checkpoint = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    torch.save(checkpoint | {"epoch": 1}, run / "checkpoints" / "best.ckpt")
    with pytest.raises(RunError, match=r"best.ckpt is of another model than .*config.yaml"):
        read_run(run)


def test_what_is_not_there_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"best.ckpt is not there"):
        reslag_vae.load(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.ckpt").write_bytes(b"not a checkpoint")
    with pytest.raises(RunError, match=r"best.ckpt is damaged"):
        reslag_vae.load(str(tmp_path))
    torch.save({"state_dict": {}}, tmp_path / "checkpoints" / "best.ckpt")
    with pytest.raises(RunError, match=r"best.ckpt is not a checkpoint of this package"):
        reslag_vae.load(tmp_path)


@pytest.mark.parametrize(
    "config",
    [
        {"_target_": "os.mkdir", "path": "BUILT"},
        {"model": {"_target_": "os.mkdir", "path": "BUILT"}},
        {"model": {"a": {"b": {"_target_": "os.mkdir", "path": "BUILT"}}}},
        {"model": {"_target_": "reslag_vae_other.FlatModel"}},
        {"model": [{"_target_": "os.mkdir", "path": "BUILT"}]},
        {"objective": {"_target_": "os.mkdir", "path": "BUILT"}},
        {"model": {"_target_": "reslag_vae.training.job.shutil.os.mkdir", "path": "BUILT"}},
    ],
)
def test_nothing_foreign_is_built(config: dict[str, Any], tmp_path: Path) -> None:
    built = tmp_path / "built"
    node = json.loads(json.dumps(config).replace("BUILT", str(built)))
    if "_target_" not in node:
        node = {"_target_": OURS, "model": {}, "objective": {}} | node
    save(tmp_path, "best", node, {})
    with pytest.raises(RunError, match=r"best.ckpt is not a checkpoint of this package"):
        reslag_vae.load(tmp_path)
    assert not built.exists()


@pytest.mark.parametrize(
    "spoil", ["renamed", "missing", "wrong shape", "wrong option", "wrong value"]
)
def test_a_checkpoint_of_another_version_is_named(
    spoil: str, compose: Compose, tmp_path: Path
) -> None:
    config: Any = OmegaConf.to_container(compose("model=vae", *SMALL).model, resolve=True)
    state = dict(build_system(OmegaConf.create({"model": config})).state_dict())
    first = next(name for name in state if name.startswith("model."))
    if spoil == "renamed":
        state["other"] = state.pop(first)
    elif spoil == "missing":
        del state[first]
    elif spoil == "wrong shape":
        state[first] = torch.zeros(7, 7, 7)
    elif spoil == "wrong option":
        config["model"]["network"]["depth"] = 3
    else:
        config["model"]["network"]["latent_dim"] = -1
    save(tmp_path, "best", config, state)
    with pytest.raises(RunError, match=r"best.ckpt is damaged, or of another version") as error:
        reslag_vae.load(tmp_path)
    assert "\n" not in str(error.value)


@pytest.fixture
def run(compose: Compose, tmp_path: Path) -> Path:
    """The folder of a run on digits, of which only the configuration is there."""
    save_config(compose("model=vae", "seed=4", *SMALL), tmp_path)
    return tmp_path


def test_the_data_of_a_run_are_split_as_they_were(run: Path) -> None:
    data = load_data(run)
    assert isinstance(data, Digits)
    assert data.seed == load_config(run).seed == 4
    other = Digits("anywhere", 32, 0.1, 4)
    other.setup()
    assert torch.equal(data.split("val").rows, other.split("val").rows)


def test_the_data_may_have_moved(run: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    assert load_data(run, tmp_path / "elsewhere").root == tmp_path / "elsewhere"


def test_missing_data_are_told_as_in_training(compose: Compose, tmp_path: Path) -> None:
    options = ("data=image_folder", "data.folder=pictures", f"data.root={tmp_path}", "logger=none")
    save_config(compose("model=vae", *options), tmp_path)
    with pytest.raises(DataError, match="there is no folder pictures"):
        load_data(tmp_path)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10", "cifar100", "omniglot"])
def test_the_data_of_a_run_are_never_downloaded(
    name: str, compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refused)
    root = tmp_path / "empty"
    root.mkdir()
    save_config(compose("model=vae", f"data={name}", f"data.root={root}", "logger=none"), tmp_path)
    with pytest.raises(RunError, match=rf"its data are not there: .* is not in {root}.*root=\.$"):
        load_data(tmp_path)
    assert list(root.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [b"a: [", b"\xff\xfe\x00", b"- 1\n", b"", b"data: 3\n", b"model: {}\nseed: 1\n", b"${x"],
)
def test_a_damaged_or_foreign_configuration_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(RunError, match=r"config\.yaml is (damaged|not the configuration)") as error:
        load_config(tmp_path)
    assert "\n" not in str(error.value)


def test_a_folder_without_a_configuration_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"config\.yaml is not there"):
        load_data(tmp_path)


@pytest.mark.parametrize(
    "node",
    [
        {"_target_": "os.mkdir", "path": "BUILT"},
        {"_target_": "reslag_vae.data.Digits", "root": {"_target_": "os.mkdir", "path": "BUILT"}},
        {"root": "x"},
        {},
        3,
        "text",
    ],
)
def test_no_foreign_data_are_built(node: Any, run: Path) -> None:
    built = run / "built"
    config = load_config(run)
    config.data = json.loads(json.dumps(node).replace("BUILT", str(built)))
    OmegaConf.save(config, run / "config.yaml")
    with pytest.raises(RunError, match=r"config\.yaml: its data are none of this package"):
        load_data(run)
    assert not built.exists()


def test_data_of_another_version_are_named(run: Path) -> None:
    config = load_config(run)
    OmegaConf.set_struct(config, False)
    config.data.resolution = 5
    OmegaConf.save(config, run / "config.yaml")
    with pytest.raises(RunError, match=r"config\.yaml: its data module cannot be built"):
        load_data(run)


@pytest.mark.parametrize("given", [None, 3, b"runs", "~nobody.of.this.name/run", ["run"]])
def test_what_is_no_path_is_told(given: Any) -> None:
    with pytest.raises(ValueError, match=r"^folder=.*: the path of a run's folder, .* is wanted"):
        reslag_vae.load(given)


@pytest.mark.parametrize("below", ["run", "vae/run", "digits/vae/run", "results/digits/vae/seed_0"])
def test_a_folder_of_runs_is_told_with_one_of_them(below: str, tmp_path: Path) -> None:
    (tmp_path / below / "checkpoints").mkdir(parents=True)
    message = rf"holds those of runs: give one of them, such as {tmp_path / below}\."
    for read in (reslag_vae.load, read_run):
        with pytest.raises(RunError, match=message):
            read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK" + bytes(1000)])
def test_a_checkpoint_that_is_cut_short_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    path = tmp_path / "checkpoints" / "best.ckpt"
    path.write_bytes(content)
    message = f"{path} is damaged or no checkpoint: it is cut short, or a file of another kind"
    with pytest.raises(RunError, match=f"^{re.escape(message)}$"):
        reslag_vae.load(tmp_path)


@pytest.mark.parametrize(("epoch", "updates"), [(1, 3), (2, 6), (3, None)])
def test_the_smaller_minibatch_at_the_end_of_each_epoch_is_an_update(
    epoch: int, updates: int | None
) -> None:
    history = [{"epoch": 1.0, "images_seen": 70.0}, {"epoch": 2.0, "images_seen": 140.0}]
    config: Any = OmegaConf.create({"data": {"batch_size": 32}})
    unused: Any = None
    run = Run(Path(), config, unused, unused, unused, unused, "best", epoch, history, {})
    assert run.updates == updates
