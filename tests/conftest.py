"""Shared fixtures: one thread, no network, a configuration, tiny data and a tiny training run."""

import copy
import functools
import gc
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from lightning import Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint
from omegaconf import DictConfig
from torch import Tensor, nn

from reslag_vae.data import ImageDataModule, Images
from reslag_vae.data.images import Source
from reslag_vae.networks import Network, PlainNetwork
from reslag_vae.training import main as training
from reslag_vae.training.system import BaseVAE
from tests.hub import Hub, point, serving
from tests.shortcuts import DIGITS, SHORTCUTS
from tests.systems import QUICK, TINY
from tests.trainers import silent_trainer

ROOT = Path(__file__).parents[1]

torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that tests start
gc.set_threshold(20_000, 20, 20)  # tests leave little garbage, and to look for it takes its time


def pytest_collection_finish() -> None:
    """What was imported until now stays: nobody looks for garbage in it."""
    gc.freeze()


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """W&B offline, without the user's account and away from the user's files."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no_netrc"))
    for name in ("WANDB_DIR", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "wandb_of_user"))


@pytest.fixture(autouse=True)
def same_start() -> None:
    """Every test draws the same numbers, whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture
def compiler() -> None:
    """Skips where there is no C++ compiler, which torch.compile needs on the CPU."""
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        pytest.skip("torch.compile needs a C++ compiler on the CPU")


@pytest.fixture
def traced() -> Callable[..., list[str]]:
    """Return the names of the operations that torch.compile is given for a module.

    No compiler is needed.
    """

    def operations(module: nn.Module, *arguments: Tensor) -> list[str]:
        names: list[str] = []

        def record(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable[..., Any]:
            names.extend(str(node.target) for node in graph.graph.nodes)
            return graph.forward

        torch.compile(module, backend=record, fullgraph=True)(*arguments)
        return names

    return operations


@pytest.fixture(scope="session", autouse=True)
def shortcuts() -> Iterator[None]:
    """Nothing is read twice, and nobody waits for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        for own in SHORTCUTS:
            patch.setattr(*own)
        yield


@contextmanager
def digits_of(kind: str) -> Iterator[None]:
    """Other digits than those of the data set, also of processes that are forked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITS", kind)
        for own in DIGITS[kind]:
            patch.setattr(*own)
        yield


@pytest.fixture(scope="module")
def small_digits() -> Iterator[None]:
    """A tenth of the digits, 8x8 as they were drawn: `recipe.image_shape=[1,8,8]`.

    For tests that say the same of images of any size: 28x28 cost twelve times as much.
    """
    with digits_of("few"):
        yield


@pytest.fixture(scope="module")
def drawn_digits() -> Iterator[None]:
    """All of the digits, 8x8 as they were drawn, for tests that need as many."""
    with digits_of("drawn"):
        yield


@pytest.fixture(scope="session")
def compose() -> Callable[..., DictConfig]:
    """Return the configuration of `python train.py <overrides>`, or of another script.

    Hydra's own node is left out. Hydra takes a tenth of a second to compose: what was composed of
    the same groups is copied, and the values are set in the copy, as Hydra sets them.
    """
    groups = {path.name for path in (ROOT / "conf").iterdir() if path.is_dir()}

    @functools.cache
    def known(script: str, *choices: str) -> DictConfig:
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return hydra_compose(script, overrides=list(choices))

    def composed(*overrides: str, script: str = "train") -> DictConfig:
        values: list[str] = []
        choices: list[str] = []
        for own in overrides:
            name = own.partition("=")[0].lstrip("+~")
            is_choice = name in groups or not re.fullmatch(r"(?!hydra\.)[\w.]+", name)
            (choices if is_choice else values).append(own)
        config = copy.deepcopy(known(script, *choices))
        parsed = OverridesParser.create().parse_overrides(values)
        ConfigLoaderImpl._apply_overrides_to_config(parsed, config)
        return config

    return composed


@pytest.fixture(scope="session")
def train() -> Callable[[DictConfig, Path], float]:
    """The function that train.py runs."""
    return training.train


@pytest.fixture(scope="session")
def first_stage(
    compose: Callable[..., DictConfig],
    train: Callable[[DictConfig, Path], float],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Path]:
    """Return the folder of a tiny run on digits, trained once, with which second stages begin."""
    folders: dict[tuple[str, ...], Path] = {}

    def trained(*overrides: str) -> Path:
        if overrides not in folders:
            folder = tmp_path_factory.mktemp("first_stage") / "run"
            train(compose(*overrides, *TINY, *QUICK), folder)
            folders[overrides] = folder
        return folders[overrides]

    return trained


@pytest.fixture
def make_network() -> Callable[..., Network]:
    """A network for 1x8x8 images with three latent dimensions."""

    def network(
        kind: type[Network] = PlainNetwork,
        parameters_per_latent: int = 2,
        channels: Sequence[int] = (4, 6),
    ) -> Network:
        options: dict[str, Any] = {"parameters_per_latent": parameters_per_latent}
        return kind((1, 8, 8), 3, list(channels), [1, 2][: len(channels)], **options)  # type: ignore[arg-type]

    return network


class Tiny(ImageDataModule):
    """Random 1x8x8 images; the upper left pixel of each one of train is its number."""

    name = "tiny"
    image_shape = (1, 8, 8)

    def __init__(self, train: int, val: int, test: int, batch_size: int, root: Path) -> None:
        super().__init__(root, batch_size, val_fraction=0.1, seed=0)
        self.sizes = {"train": train, "val": val, "test": test}

    def read(self) -> Source:
        generator = torch.Generator().manual_seed(1)
        images = {}
        for name, size in self.sizes.items():
            pixels = torch.randint(256, (size, 1, 8, 8), generator=generator, dtype=torch.uint8)
            pixels[:, 0, 0, 0] = torch.arange(size)
            images[name] = Images(pixels, torch.full((size,), -1))
        return Source(images["train"], images["val"], images["test"], [])


@pytest.fixture
def make_data(tmp_path: Path) -> Callable[..., ImageDataModule]:
    """A tiny data set in memory, whose last training minibatch is smaller than the others."""

    def data(train: int = 22, val: int = 11, test: int = 5, batch_size: int = 8) -> ImageDataModule:
        module = Tiny(train, val, test, batch_size, tmp_path)
        module.setup()
        return module

    return data


@pytest.fixture
def fit(tmp_path: Path) -> Callable[..., Trainer]:
    """Train for some epochs in the test's folder, on the CPU, with nothing shown."""

    def fitted(
        model: BaseVAE,
        data: ImageDataModule,
        epochs: int = 1,
        callbacks: Sequence[Callback] = (),
        ckpt_path: Path | None = None,
        **options: Any,
    ) -> Trainer:
        settings = {
            "devices": 1,
            "enable_checkpointing": any(isinstance(callback, Checkpoint) for callback in callbacks),
            "use_distributed_sampler": False,
            "num_sanity_val_steps": 0,
            "default_root_dir": tmp_path,
        }
        trainer = silent_trainer(
            max_epochs=epochs, callbacks=list(callbacks), **(settings | options)
        )
        trainer.fit(model, data, ckpt_path=ckpt_path, weights_only=True)
        return trainer

    return fitted


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A stand-in of the hub, which huggingface_hub asks; nobody is logged in, the cache is empty.

    Skips where huggingface_hub is not installed.
    """
    pytest.importorskip("huggingface_hub", reason="pip install -e '.[dev]' brings huggingface_hub")
    own = Hub()
    with serving(own):
        point(monkeypatch, own.url, tmp_path / "hub")
        yield own
