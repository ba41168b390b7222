"""The verdict on collapse."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning import Trainer
from PIL import Image
from torch import nn

from reslag_vae.data import ImageDataModule
from reslag_vae.evaluation.epoch import evaluate
from reslag_vae.networks import Network
from reslag_vae.training.callbacks import CollapseMonitor
from reslag_vae.training.callbacks import collapse as module
from reslag_vae.training.callbacks.pace import DrawingPace
from reslag_vae.training.system import BaseVAE
from reslag_vae.variants import VAE, AutoEncoder
from tests.systems import make_system

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]


def fixed_encoder(network: Network, active: int) -> Network:
    """A network whose first dimensions carry much of the image and the others nothing.

    Training does not change that.
    """
    linear = network.inference[-1]
    assert isinstance(linear, nn.Linear)
    with torch.no_grad():
        linear.weight.zero_()
        linear.bias.zero_()
        linear.weight[:active].normal_(std=20)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network


@pytest.mark.parametrize(
    ("active", "verdict"),
    [
        (0, "COLLAPSED: the code says nothing of the image (0 of 3 units active, KL 0.00 nats)"),
        (1, "partly collapsed: at most half of the latent is used (1 of 3 units active"),
        (2, "no collapse, but 1 of the units idle (2 of 3 units active"),
        (3, "no collapse (3 of 3 units active"),
    ],
)
def test_the_verdict_counts_active_units(
    active: int,
    verdict: str,
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
    tmp_path: Path,
) -> None:
    monitor, model = (
        CollapseMonitor(),
        make_system(VAE, fixed_encoder(make_network(), active), "elbo"),
    )
    model.model.network.generative.requires_grad_(True)
    model.model.network.inference[0].requires_grad_(True)
    trainer = fit(model, make_data(val=40), callbacks=[monitor])
    assert monitor.verdict.startswith(verdict)
    assert float(trainer.callback_metrics["val/active_units"]) == active
    with Image.open(tmp_path / "figures" / "kl_per_dimension.png") as picture:
        assert picture.format == "PNG"


def test_a_point_has_no_verdict(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    monitor = CollapseMonitor()
    fit(
        make_system(AutoEncoder, make_network(parameters_per_latent=1), "reconstruction"),
        make_data(),
        callbacks=[monitor],
    )
    assert monitor.verdict == ""
    assert not (tmp_path / "figures").exists()


def test_the_picture_is_of_the_latest_evaluation(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[list[float], list[bool], str]] = []
    monkeypatch.setattr(
        module, "kl_bars", lambda kl, active, title: drawn.append((list(kl), list(active), title))
    )
    monkeypatch.setattr(module, "save_figure", lambda *_: None)
    monkeypatch.setattr(DrawingPace, "due", True)
    monitor, model, data = CollapseMonitor(), make_system(VAE, make_network(), "elbo"), make_data()
    trainer = fit(model, data, 2, [monitor])
    assert [title.split(":")[0] for _, _, title in drawn] == ["VAE, epoch 1", "VAE, epoch 2"]
    model.evaluation = evaluate(model.model, model.objective, data.in_order("test"))
    monitor.draw(trainer, model, 9)
    statistics = model.evaluation.latents
    kl = statistics.kl_per_dimension()
    assert kl is not None
    assert monitor.verdict == statistics.verdict()
    assert drawn[2] == (
        kl.tolist(),
        statistics.active().tolist(),
        f"VAE, epoch 9: {monitor.verdict}",
    )
    assert drawn[2] != drawn[1]


def test_the_verdict_waits_for_enough_updates_or_the_end_of_the_run(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "save_figure", lambda *_: None)
    verdicts: list[str] = []

    class Kept(CollapseMonitor):
        """Keeps the verdict of each epoch."""

        def on_train_epoch_end(self, trainer: Trainer, pl_module: BaseVAE) -> None:
            super().on_train_epoch_end(trainer, pl_module)
            verdicts.append(self.verdict)

    model = make_system(VAE, make_network(), "elbo")
    fit(model, make_data(), 2, [Kept()])  # of 3 minibatches each
    assert verdicts[0] == "too early to judge the latent: 3 of 500 updates"
    assert verdicts[1] == f"{model.evaluation.latents.verdict()}, after no more than 6 updates"
    monkeypatch.setattr(module, "FEWEST_UPDATES", 3)
    fit(model, make_data(), 1, [Kept()])
    assert verdicts[2] == model.evaluation.latents.verdict()
