"""The end of a run."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from lightning import Trainer
from torch import Tensor

from reslag_vae.data import ImageDataModule
from reslag_vae.evaluation.epoch import evaluate
from reslag_vae.evaluation.numbers import format_number
from reslag_vae.likelihoods import Gaussian, LearnedVariance
from reslag_vae.models import FlatModel
from reslag_vae.networks import Network
from reslag_vae.objectives import ELBO
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.lightning_tracker import LightningTracker
from reslag_vae.training import finish, metrics_json
from reslag_vae.training.callbacks import (
    BestAndLast,
    CollapseMonitor,
    ImageGrids,
    Throughput,
    collapse,
    images,
)
from reslag_vae.training.callbacks.pace import DrawingPace
from reslag_vae.training.measure import measure
from reslag_vae.training.schedules import Lagging
from reslag_vae.training.system import BaseVAE
from reslag_vae.training.tables import show_card
from reslag_vae.variants import AutoEncoder, LaggingVAE, OptimalSigmaVAE
from tests.recorder import Recorder
from tests.systems import Fed, make_system, measured, network_of

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]


@pytest.mark.parametrize("objective", ["reconstruction", "mmd"])
def test_what_an_autoencoder_does_not_have_is_none(
    objective: str, make_network: MakeNetwork, make_data: MakeData
) -> None:
    network = make_network(parameters_per_latent=1)
    found = measure(make_system(AutoEncoder, network, objective), make_data())
    for metrics in found.values():
        assert metrics["loss"] is not None
        assert metrics["rec"] is not None
        assert [
            metrics[name] for name in ("kl", "kl_per_dim", "elbo", "bits_per_dim", "sigma2")
        ] == [None] * 5


def test_batches_are_as_large_as_in_validation(
    make_network: MakeNetwork, make_data: MakeData
) -> None:
    model, data = make_system(OptimalSigmaVAE, make_network(), "sigma_optimal"), make_data()
    sizes: list[int] = []
    network_of(model).inference.register_forward_hook(
        lambda _, given, __: sizes.append(len(given[0]))
    )
    data.validated_at_once = 16
    measure(model, data)
    assert sizes == [16, 6, 5, 11]  # train, test, val


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("kind", ["cuda", "cpu"])
def test_a_result_says_whether_a_gpu_rounded_products(
    kind: str,
    allowed: bool,
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, data = make_system(OptimalSigmaVAE, make_network(), "sigma_optimal"), make_data()
    trainer = fit(model, data)
    monkeypatch.setattr(trainer.strategy, "_root_device", torch.device(kind))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a GPU")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", allowed)
    result = metrics_json.summary(trainer, model, data, 1, 1)
    assert result["tf32"] is (allowed and kind == "cuda")


def test_the_best_epoch_is_measured_and_not_the_last(
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    model, data = make_system(OptimalSigmaVAE, make_network(), "sigma_optimal"), make_data()
    Fed(model, loss=[3.0, 1.0, 2.0])
    trainer = fit(model, data, 3, [Throughput(), BestAndLast()])
    rounded = []

    def watched(*given: Any) -> dict[str, dict[str, float | None]]:
        rounded.append(torch.backends.cudnn.allow_tf32)
        return measure(*given)

    monkeypatch.setattr(finish, "measure", watched)
    assert finish.finish(trainer, model, data, tmp_path, {"seed": 7}) == 1.0
    assert rounded == [False]
    assert torch.backends.cudnn.allow_tf32
    result = json.loads((tmp_path / "metrics.json").read_text())
    state = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    best = make_system(OptimalSigmaVAE, make_network(), "sigma_optimal")
    best.load_state_dict(state)
    best.train_mse.fill_(measured(best, data.in_order("train"))["rec"] / 64)
    for split in ("val", "test"):
        assert result[split] == pytest.approx(measured(best, data.in_order(split)), rel=1e-9)
    assert (result["epoch"], result["epochs_run"], result["seed"]) == (2, 3, 7)
    assert result["yardstick_sigma2"] == pytest.approx(float(best.train_mse))
    assert result["images"] == {"train": 22, "val": 11, "test": 5}
    assert result["stopped_because"] == "all 3 epochs were run"
    assert result["seconds"] > 0
    assert result["images_per_second"] > 0
    shown = capsys.readouterr().out
    assert "optimal_sigma on tiny, epoch 2\n" in shown
    assert "elbo: with the error of these weights on train" in shown


def test_the_last_pictures_are_of_the_best_epoch(
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grids: dict[str, list[tuple[str, Tensor]]] = {}
    bars: dict[str, list[float]] = {}
    monkeypatch.setattr(images, "image_grid", lambda rows, title: grids.update({title: rows}))
    monkeypatch.setattr(
        collapse, "kl_bars", lambda kl, active, title: bars.update({title: list(kl)})
    )
    for module in (images, collapse):
        monkeypatch.setattr(module, "save_figure", lambda *_: None)
    monkeypatch.setattr(DrawingPace, "due", True)
    title = "Optimal Sigma VAE, sigma_optimal"
    model, data = make_system(OptimalSigmaVAE, make_network(), "sigma_optimal"), make_data()
    Fed(model, loss=[3.0, 1.0, 2.0])
    trainer = fit(
        model, data, 3, [ImageGrids(count=4), CollapseMonitor(), Throughput(), BestAndLast()]
    )
    third = grids[f"reconstructions: {title}, epoch 3"][1][1]
    for drawn in (grids, bars):
        drawn.clear()
    finish.finish(trainer, model, data, tmp_path, {"seed": 0})

    assert sorted(grids) == [
        f"prior samples: {title}, epoch 2",
        f"reconstructions: {title}, epoch 2",
    ]
    best = make_system(OptimalSigmaVAE, make_network(), "sigma_optimal")
    best.load_state_dict(
        torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    )
    latents = evaluate(best.model, best.objective, data.in_order("val")).latents
    originals = data.split("val").images[:4]
    (_, shown), (_, reconstructions) = grids[f"reconstructions: {title}, epoch 2"]
    assert torch.equal(shown, originals / 255)
    with torch.no_grad():
        torch.testing.assert_close(reconstructions, best.eval().model.reconstruct(originals))
    assert not torch.allclose(reconstructions, third)
    [(above, kl)] = bars.items()
    # Of 3 minibatches each
    assert above == f"{title}, epoch 2: {latents.verdict()}, after no more than 6 updates"
    per_dimension = latents.kl_per_dimension()
    assert per_dimension is not None
    assert kl == pytest.approx(per_dimension.tolist())


def test_a_run_is_finished_once_its_result_is_tracked(
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A kill between the two is mended by `resume=`, which measures what is not finished."""
    model, data = make_system(OptimalSigmaVAE, make_network(), "sigma_optimal"), make_data()
    recorder = Recorder(str(tmp_path))
    trainer = fit(
        model, data, 1, [BestAndLast()], logger=LightningTracker(recorder), log_every_n_steps=1
    )

    def kill(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(finish, "write_result", kill)
    with pytest.raises(KeyboardInterrupt):
        finish.finish(trainer, model, data, tmp_path, {"seed": 0})
    assert not (tmp_path / "metrics.json").exists()
    assert any("best/test/loss" in row for row, _ in recorder.rows)


@pytest.mark.parametrize(
    ("own", "epochs_run", "max_epochs", "words"),
    [
        (None, 5, 5, "all 5 epochs were run"),
        (None, 1, 1, "its one epoch was run"),
        (None, 3, 5, "the trainer was told to stop after 3 of 5 epochs"),
        ("learning rate 1 fell below 2", 3, 5, "learning rate 1 fell below 2"),
    ],
)
def test_why_training_ended(own: str | None, epochs_run: int, max_epochs: int, words: str) -> None:
    trainer = SimpleNamespace(max_epochs=max_epochs, callbacks=[])
    model = SimpleNamespace(stopped_because=own)
    assert (
        metrics_json.stopped_because(cast(Trainer, trainer), cast(BaseVAE, model), epochs_run)
        == words
    )


def test_parameters_are_counted_by_group(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    likelihood = Gaussian(LearnedVariance((1, 8, 8), "pixel"))
    own, data = FlatModel(make_network(), likelihood), make_data()
    model = LaggingVAE(own, ELBO(), Lagging(ratio=1, epochs=1))
    found = metrics_json.summary(
        fit(model, data, 1, [BestAndLast()]), model, data, epoch=1, epochs_run=1
    )["parameters"]
    sizes = [
        sum(p.numel() for p in half.parameters())
        for half in (own.network.inference, own.network.generative)
    ]
    assert found == {"inference": sizes[0], "generative": sizes[1] + 64, "total": sum(sizes) + 64}


def test_a_run_without_a_best_checkpoint_has_no_result(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    model, data = make_system(OptimalSigmaVAE, make_network(), "sigma_optimal"), make_data()
    trainer = fit(model, data, 1, [BestAndLast()])
    (tmp_path / "checkpoints" / "best.ckpt").unlink()
    with pytest.raises(RunError, match=r"best.ckpt"):
        finish.finish(trainer, model, data, tmp_path, {"seed": 0})
    (tmp_path / "checkpoints" / "last.ckpt").unlink()
    with pytest.raises(RunError, match=r"before its first epoch did.* resume=.* goes on"):
        finish.finish(trainer, model, data, tmp_path, {"seed": 0})
    assert not (tmp_path / "metrics.json").exists()


def test_the_card_is_shown(make_network: MakeNetwork, capsys: pytest.CaptureFixture[str]) -> None:
    show_card(make_system(LaggingVAE, make_network(), "sigma_optimal", Lagging(ratio=3)))
    shown = capsys.readouterr().out
    for part in ("objective card", "lagging: PlainNetwork", "sigma_optimal", "ratio=3", "lr 0.002"):
        assert part in shown


def test_numbers_are_short_and_missing_ones_a_dash() -> None:
    assert (format_number(None), format_number(123.456789)) == ("-", "123.46")
