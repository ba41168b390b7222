"""From a configuration to a run, and what is refused on the way."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import wandb
from hydra.errors import ConfigCompositionException
from lightning import Trainer
from lightning.pytorch.accelerators import MPSAccelerator
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.profilers import SimpleProfiler
from omegaconf import DictConfig, OmegaConf

from reslag_vae._runtime import process
from reslag_vae._runtime.errors import ConfigError
from reslag_vae.options.condition import named
from reslag_vae.runs.build import instantiate
from reslag_vae.runs.data import build_data
from reslag_vae.runs.option_names import flatten
from reslag_vae.training.build import add_logger, build, build_system
from reslag_vae.training.callbacks import BestAndLast, CollapseMonitor, ImageGrids, TrainingCurves
from reslag_vae.training.checks import check_pixels
from reslag_vae.training.compiled import is_repaid
from reslag_vae.training.optimizers import AdamSettings, Plateau
from reslag_vae.training.profiler import NoProfiler
from reslag_vae.training.schedules import Lagging
from reslag_vae.variants import LaggingVAE
from tests.systems import QUICK, TINY

Compose = Callable[..., DictConfig]

SMALL = (
    "data=digits",
    "recipe.channels=[2,4]",
    "recipe.blocks=[1,1]",
    "logger=none",
    "trainer.accelerator=cpu",
)


def test_a_run_is_built_of_what_was_asked_for(compose: Compose, tmp_path: Path) -> None:
    data, model, trainer = build(
        compose("model=lagging", "schedule.ratio=4", "trainer.max_epochs=7", *SMALL), tmp_path
    )
    assert isinstance(model, LaggingVAE)
    assert model.schedule == Lagging(ratio=4, epochs=1)
    assert (data.name, data.batch_size, trainer.max_epochs) == ("digits", 32, 7)
    assert Path(trainer.default_root_dir) == tmp_path
    assert trainer.loggers == []
    kinds = [type(own) for own in trainer.callbacks]
    drawing = [ImageGrids, CollapseMonitor, TrainingCurves]
    assert kinds[-4:] == [BestAndLast, *drawing], "what is drawn is saved before"
    assert list(tmp_path.iterdir()) == []


def test_values_are_plain_containers(compose: Compose, tmp_path: Path) -> None:
    model = build(compose("model=beta_vae", *SMALL), tmp_path)[1]
    assert model.optimizer == AdamSettings(betas=[0.9, 0.999], plateau=Plateau())  # type: ignore[arg-type]
    assert type(model.optimizer.betas) is list
    assert type(model.model.image_shape) is tuple
    kinds = {type(value) for _, value in flatten(dict(model.hparams))}
    assert kinds <= {str, int, float, bool, list, type(None)}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ("+trainer.gradient_clip_val=1.0",),
            r"trainer.gradient_clip_val=1.0: .* use optimizer.clip_norm",
        ),
        (
            ("+trainer.accumulate_grad_batches=2",),
            r"trainer.accumulate_grad_batches=2: .* use data.batch_size",
        ),
        (
            ("trainer.precision=16-mixed",),
            r"trainer.precision=16-mixed: must be 32-true or bf16-mixed",
        ),
        (("+trainer.max_steps=10",), r"trainer.max_steps=10: .* use trainer.max_epochs"),
        (
            ("+trainer.overfit_batches=2",),
            r"trainer.overfit_batches=2: .* use \+trainer.limit_train_batches",
        ),
        (("trainer.devices=3",), r"data.batch_size=32: must be a multiple of the 3 devices"),
        (("trainer.num_nodes=3",), r"trainer.num_nodes=3: start the processes by torchrun or srun"),
        (("trainer.devices=null",), r"trainer.devices=null: must be a whole number"),
        (
            ("+trainer.strategy=ddp",),
            r"trainer.strategy=ddp: the training step shares the work out itself",
        ),
        (("+trainer.plugins=[]",), r"trainer.plugins=\[\]: checkpoints are written by one of ours"),
        (("trainer.devices=2", "trainer.compile=true"), r"trainer.compile=true: takes one device"),
        (("trainer.compile=yes_please",), r"trainer.compile=yes_please: must be true or false"),
        (
            ("callbacks.progress.interval=0",),
            r"callbacks.progress.interval=0: must be a number from 0.01",
        ),
        (("trainer.max_epochs=0",), r"trainer.max_epochs=0: must be a whole number from 1"),
        (("trainer.max_epochs=-1",), r"trainer.max_epochs=-1"),
        (
            ("trainer.max_epochs=2", "schedule.epochs=3"),
            r"schedule.epochs=3: the aggressive phase is longer .*=2",
        ),
        (
            ("recipe.image_shape=[1,32,32]",),
            r"built for images of \(1, 32, 32\), and data=digits has \(1, 28, 28\)",
        ),
        (
            ("recipe.latent_dim=784",),
            r"network.latent_dim=784: the latent must be smaller than the image's 784",
        ),
        (("optimizer.lr=0",), r"optimizer.lr=0"),
        (("schedule.ratio=0",), r"schedule.ratio=0"),
        (("data.val_fraction=2",), r"data.val_fraction=2: must be a number above 0 and below 1"),
        (("objective=beta", "objective.beta=-1"), r"objective.beta=-1"),
        (
            ("objective=reconstruction",),
            r"model=reslag_light does not take objective=reconstruction; it takes obj",
        ),
        (("callbacks.checkpoint=null",), r"callbacks.checkpoint=null: without checkpoints"),
        (
            ("+trainer.check_val_every_n_epoch=2",),
            r"trainer.check_val_every_n_epoch=2: every epoch is validated",
        ),
        (
            ("+trainer.fast_dev_run=true",),
            r"trainer.fast_dev_run=true: .* use trainer.max_epochs=1",
        ),
        (("+trainer.fast_dev_run=3",), r"trainer.fast_dev_run=3: .* use trainer.max_epochs=1"),
        (("schedule.ratio=2.5",), r"schedule.ratio=2.5: must be a whole number"),
        (("schedule.epochs=1.5",), r"schedule.epochs=1.5: must be a whole number"),
        (("schedule.epochs=true",), r"schedule.epochs=true: must be a whole number"),
        (("data.batch_size=8.5",), r"data.batch_size=8.5: must be a whole number"),
        (("data.batch_size=many",), r"data.batch_size=many: must be a whole number"),
        (("trainer.max_epochs=1.5",), r"trainer.max_epochs=1.5: must be a whole number"),
        (
            ("objective=capacity", "objective.epochs=2.5"),
            r"objective.epochs=2.5: must be a whole number",
        ),
        (
            ("objective=capacity", "objective.epochs=3", "trainer.max_epochs=2"),
            r"objective.epochs=3: the capacity would still rise .*=2",
        ),
        (("network.latent_dim=ten",), r"network.latent_dim=ten: must be a whole number"),
        (("optimizer.lr=fast",), r"optimizer.lr=fast: must be a number"),
        (("optimizer.betas=[0.9,1]",), r"optimizer.betas=\[0.9, 1\]"),
        pytest.param(
            ("trainer.accelerator=gpu",),
            r"trainer: `CUDAAccelerator` can not run on your system",
            marks=pytest.mark.skipif(
                torch.cuda.is_available(), reason="needs a machine without a GPU"
            ),
        ),
    ],
)
def test_what_would_fail_or_mislead_is_refused(
    overrides: tuple[str, ...], message: str, compose: Compose, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        build(compose("model=reslag_light", *SMALL, *overrides), tmp_path)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "overrides", [("+trainer.accumulate_grad_batches=1",), ("+trainer.gradient_clip_val=null",)]
)
def test_a_default_written_out_is_not_refused(
    overrides: tuple[str, ...], compose: Compose, tmp_path: Path
) -> None:
    assert isinstance(build(compose("model=vae", *SMALL, *overrides), tmp_path)[2], Trainer)


@pytest.mark.parametrize(
    "override", ["data.batchsize=8", "modell=vae", "model=vaee", "objective.beta=2"]
)
def test_an_unknown_option_is_refused(override: str, compose: Compose) -> None:
    with pytest.raises(ConfigCompositionException):
        compose("model=vae", "data=digits", override)


@pytest.mark.parametrize("chosen", [False, True, "auto"])
def test_updates_are_compiled_as_the_configuration_says(
    chosen: bool | str, compose: Compose, tmp_path: Path
) -> None:
    config = compose(
        "model=vae",
        "data=digits",
        "logger=none",
        "trainer.accelerator=cpu",
        f"trainer.compile={chosen}",
    )
    _, model, trainer = build(config, tmp_path)
    assert model.compilation == chosen
    assert isinstance(trainer.profiler, NoProfiler)


LAGGING = ("model=lagging", "trainer.max_epochs=1000")


@pytest.mark.parametrize(
    ("options", "repaid"),
    [
        (["trainer.max_epochs=1000"], False),
        (["trainer.max_epochs=4000"], True),
        (["trainer.max_epochs=4000", "+trainer.limit_train_batches=1"], False),
        (["trainer.max_epochs=4000", "model=vdvae", "network.stage_levels=[1,2,3]"], True),
        # 1,300 updates of each minibatch repay it.
        ([*LAGGING, "schedule.ratio=1", "schedule.epochs=290"], False),
        ([*LAGGING, "schedule.ratio=1", "schedule.epochs=310"], True),
        ([*LAGGING, "schedule.ratio=5", "schedule.epochs=62", "schedule.batches=fresh"], True),
        ([*LAGGING, "schedule.ratio=adaptive", "schedule.epochs=16"], True),
    ],
)
def test_compilation_is_repaid_by_long_runs(
    options: list[str], repaid: bool, compose: Compose, tmp_path: Path
) -> None:
    """1,455 digits of 784 numbers, 4,000 times, are 4.6 billion."""
    common = ("model=vae", "data=digits", "logger=none", "trainer.accelerator=cpu")
    data, model, trainer = build(compose(*common, *options), tmp_path)
    data.setup()
    trainer.datamodule, model.trainer = data, trainer  # type: ignore[attr-defined]
    batches = len(data.train_dataloader())
    limit = trainer.limit_train_batches
    trainer.fit_loop.max_batches = limit if isinstance(limit, int) else batches
    assert is_repaid(model) is repaid


def test_a_profiler_can_be_chosen(
    compose: Compose, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = compose(
        "model=vae",
        "data=digits",
        "logger=none",
        "trainer.accelerator=cpu",
        "+trainer.profiler=simple",
    )
    process.quiet()
    profiler = build(config, tmp_path)[2].profiler
    assert isinstance(profiler, SimpleProfiler)
    profiler.describe()
    assert "Profiler Report" in caplog.text


def test_a_callback_is_left_out_by_null(compose: Compose, tmp_path: Path) -> None:
    every = build(compose("model=vae", *SMALL), tmp_path)[2]
    fewer = build(
        compose("model=vae", "callbacks.images=null", "callbacks.collapse=null", *SMALL), tmp_path
    )[2]
    kinds = [
        {type(callback).__name__ for callback in trainer.callbacks} for trainer in (every, fewer)
    ]
    assert kinds[0] - kinds[1] == {"ImageGrids", "CollapseMonitor"}


def test_no_other_progress_bar_takes_the_place_of_ours(compose: Compose, tmp_path: Path) -> None:
    _, _, trainer = build(compose(*SMALL, "callbacks.progress=null"), tmp_path)
    assert trainer.progress_bar_callback is None
    _, _, trainer = build(compose(*SMALL), tmp_path)
    assert type(trainer.progress_bar_callback).__name__ == "ProgressBar"


def dashboard_names(config: DictConfig, folder: Path) -> dict[str, Any]:
    """What a dashboard is told of a run before it begins."""
    OmegaConf.set_struct(config, False)
    config.logger = {"_target_": "tests.recorder.Recorder"}
    model, trainer = build_system(config), Trainer(default_root_dir=folder, logger=False)
    add_logger(trainer, config, build_data(config, model.model), model)
    (dashboard,) = trainer.loggers
    # The recorder's own attribute, of which Lightning's loggers know nothing.
    names: dict[str, Any] = dashboard.logger.options  # type: ignore[attr-defined]
    return names


def test_a_dashboard_gets_flat_names(compose: Compose, tmp_path: Path) -> None:
    config = compose("model=reslag", "objective=sigma_optimal", "seed=5", *SMALL)
    names = dashboard_names(config, tmp_path)
    wanted = {
        "model": "reslag",
        "data": "digits",
        "objective": "sigma_optimal",
        "schedule": "lagging",
        "condition": "none",
        "seed": 5,
        "monitor": "val/loss",
        "data.batch_size": 32,
        "likelihood.variance.granularity": "global",
        "network.channels": [2, 4],
        "schedule.ratio": 3,
        "optimizer.lr": 0.002,
        "trainer.max_epochs": 60,
    }
    assert wanted.items() <= names.items()
    assert not [value for value in names.values() if isinstance(value, dict)]
    assert json.loads(json.dumps(names)) == names
    assert not [name for name in names if name.startswith("callbacks.images.")]


def test_a_dashboard_tells_runs_apart_by_what_they_are_told_and_when_they_end(
    compose: Compose, tmp_path: Path
) -> None:
    stop = "{_target_:reslag_vae.training.callbacks.EarlyStopping,updates:7}"
    words = ("model=vae", "condition=label", f"+callbacks.early_stopping={stop}", *SMALL)
    names = dashboard_names(named(compose(*words), ["cat", "dog"]), tmp_path)
    wanted = {
        "condition": "label",
        "condition.names": ["cat", "dog"],
        "callbacks.early_stopping.updates": 7,
    }
    assert wanted.items() <= names.items()


def test_greys_are_no_data_of_a_likelihood_of_black_and_white(
    compose: Compose, tmp_path: Path
) -> None:
    message = "likelihood=bernoulli: takes images of 0 and 1 alone, and data=digits has greys"
    with pytest.raises(ConfigError, match=message):
        build(compose("model=vae", "likelihood=bernoulli", *SMALL), tmp_path)
    config = compose("model=vae", "likelihood=bernoulli", "data=mnist", "data.binarize=dynamic")
    system = build_system(config)
    check_pixels(system, build_data(config, system.model))


def test_flattening() -> None:
    assert dict(flatten({"a": {"b": 1, "c": {"d": [2]}}, "e": None})) == {
        "a.b": 1,
        "a.c.d": [2],
        "e": None,
    }


def test_an_error_that_is_not_about_values_is_told_whole() -> None:
    with pytest.raises(Exception, match="no_such_class"):
        instantiate(DictConfig({"_target_": "reslag_vae.models.no_such_class"}))


def test_a_trainer_that_cannot_be_built_leaves_no_dashboard_run_open(
    compose: Compose, tmp_path: Path
) -> None:
    config = compose(
        "model=vae", "data=digits", "trainer.accelerator=cpu", "+trainer.strategy=no_such_strategy"
    )
    with pytest.raises(Exception, match="no_such_strategy"):
        build(config, tmp_path)
    left = wandb.run
    if left is not None:
        left.finish()
    assert left is None


def test_apples_gpu_is_not_taken(
    compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MPSAccelerator, "is_available", staticmethod(lambda: True))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    _, _, trainer = build(compose("model=vae", "data=digits", "logger=none"), tmp_path)
    assert trainer.strategy.root_device.type == "cpu"
    with pytest.raises(ConfigError, match=r"trainer\.accelerator=mps: must be one of auto, cpu"):
        build(compose("model=vae", "data=digits", "trainer.accelerator=mps"), tmp_path)


def test_logging_is_off_without_a_logger(compose: Compose, tmp_path: Path) -> None:
    assert not [
        logger
        for logger in build(compose("model=vae", *SMALL), tmp_path)[2].loggers
        if isinstance(logger, WandbLogger)
    ]
    assert wandb.run is None


@pytest.mark.parametrize(
    "choice",
    [
        "monitor=val/bits_per_dim",
        "monitor=val/mmd",
        "monitor=val/sigma2_floored",
        "callbacks.checkpoint.monitor=val/mmd",
    ],
)
def test_the_best_epoch_is_not_chosen_by_what_the_model_does_not_log(
    choice: str, compose: Compose, tmp_path: Path
) -> None:
    config = compose("model=autoencoder", "data=digits", choice)
    with pytest.raises(ConfigError, match=rf"^{choice}: this model has no such metric; .*val/rec"):
        build(config, tmp_path)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (("data=digits", "likelihood.pixels=bernoulli"), r"has greys: likelihood\.pixels=levels, "),
        (("data=digits", "likelihood.pixels=logistic_mixture"), None),
        (("data=mnist", "data.binarize=dynamic"), r"0 and 1 alone: likelihood\.pixels=bernoulli"),
        (("data=binarized_mnist",), None),
        (("data=cifar10", "likelihood.pixels=levels"), r"not of 3: .*=logistic_mixture takes"),
        (("data=cifar10", "likelihood.pixels=bernoulli"), r"=logistic_mixture, data=binarized"),
    ],
)
def test_a_pixelcnn_whose_pixels_are_not_the_data_s_says_which_would_do(
    choices: tuple[str, ...], message: str | None, compose: Compose
) -> None:
    def check() -> None:
        config = compose("model=pixelvae", *choices, "likelihood.layers=1", "logger=none")
        system = build_system(config)
        check_pixels(system, instantiate(config.data))

    if message is None:
        check()
        return
    with pytest.raises(ValueError, match=message):
        check()


@pytest.mark.parametrize(
    ("precision", "able", "said"),
    [("bf16-mixed", False, 1), ("bf16-mixed", True, 0), ("32-true", False, 0)],
)
def test_a_precision_that_is_no_gain_here_is_named_once(
    precision: str,
    able: bool,
    said: int,
    compose: Compose,
    train: Callable[[DictConfig, Path], float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also of a run that is built twice, since its data settle what the model is told."""
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: able, raising=False)
    common = ("model=vae", "condition=label", *TINY, *QUICK, "logger=none")
    with caplog.at_level(logging.WARNING, "reslag_vae"):
        train(compose(*common, f"trainer.precision={precision}"), tmp_path / "run")
    message = f"trainer.precision={precision}: this processor has no products"
    assert caplog.text.count(message) == said
