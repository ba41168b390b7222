"""Evaluations in training and by themselves: numbers of images alone."""

import copy
import math
from collections.abc import Callable

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from reslag_vae.data import ImageDataModule
from reslag_vae.likelihoods import (
    DataVariance,
    FixedVariance,
    Gaussian,
    LearnedVariance,
    Likelihood,
    OptimalVariance,
    SquaredError,
    UnitGaussian,
    VarianceRule,
)
from reslag_vae.networks import Network
from reslag_vae.training.schedules import Lagging
from reslag_vae.training.system import BaseVAE
from reslag_vae.variants import (
    VAE,
    AutoEncoder,
    BetaVAE,
    LaggingVAE,
    MMDInfoVAE,
    OptimalSigmaVAE,
)
from tests.systems import make_system, measured
from tests.updates import Recorder, equal, state

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]

SHAPE = (1, 8, 8)


VARIANCES: list[VarianceRule] = [
    DataVariance(SHAPE),
    LearnedVariance(SHAPE, "pixel"),
    FixedVariance(0.05),
    OptimalVariance(SHAPE, "global"),
    OptimalVariance(SHAPE, "channel"),
    OptimalVariance(SHAPE, "pixel"),
    OptimalVariance(SHAPE, "image"),
]


@pytest.mark.parametrize(
    ("objective", "likelihood"),
    [
        ("elbo", UnitGaussian()),
        ("beta", SquaredError()),
        ("capacity", SquaredError()),
        *(("elbo", Gaussian(rule)) for rule in VARIANCES),
    ],
    ids=lambda each: getattr(each, "name", each),
)
def test_an_evaluation_does_not_depend_on_batches_or_the_random_state(
    objective: str,
    likelihood: Likelihood,
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
) -> None:
    model = make_system(
        LaggingVAE,
        make_network(),
        objective,
        Lagging(epochs=0),
        likelihood=copy.deepcopy(likelihood),
    )
    fit(model, make_data())
    results = []
    for size in (7, 16, 64):
        torch.manual_seed(size)
        results.append(measured(model, make_data(val=37, batch_size=size).in_order("val")))
    for other in results[1:]:
        assert other == pytest.approx(results[0], rel=1e-5)


def test_prior_samples_do_not_make_an_evaluation_depend_on_batches(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    """The MMD itself is a statistic of the minibatch."""
    model = make_system(MMDInfoVAE, make_network(), "mmd")
    fit(model, make_data())
    results = [
        measured(model, make_data(val=37, batch_size=size).in_order("val")) for size in (7, 16, 64)
    ]
    for name in ("rec", "kl", "elbo", "mutual_information"):
        assert [result[name] for result in results] == pytest.approx(
            [results[0][name]] * 3, rel=1e-5
        )


def test_an_mmd_model_is_evaluated_on_the_noise_of_all_others(
    make_network: MakeNetwork, make_data: MakeData
) -> None:
    network, data = make_network(), make_data(val=37)
    first, second = (
        measured(model, data.in_order("val"))
        for model in (make_system(MMDInfoVAE, network, "mmd"), make_system(VAE, network, "elbo"))
    )
    assert (first["rec"], first["kl"]) == (second["rec"], second["kl"])


@pytest.mark.parametrize("objective", ["mmd", "sigma_optimal", "sigma_data"])
def test_an_evaluation_changes_nothing_and_repeats_itself(
    objective: str, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model, data = (
        make_system(LaggingVAE, make_network(), objective, Lagging(epochs=0)),
        make_data(),
    )
    fit(model, data)
    model.train()
    before, random = state([model]), torch.get_rng_state()
    first = measured(model, data.in_order("val"))
    assert measured(model, data.in_order("val")) == first
    assert equal(state([model]), before)
    assert torch.equal(torch.get_rng_state(), random)
    assert model.training


def test_images_count_equally_also_in_the_last_incomplete_batch(
    make_network: MakeNetwork, make_data: MakeData
) -> None:
    model, data = make_system(VAE, make_network(), "elbo").eval(), make_data(val=9, batch_size=8)
    noise = torch.randn(9, 16, generator=torch.Generator().manual_seed(0))[:, :3]
    with torch.no_grad():
        terms = model.terms(data.split("val").images, (noise,))
    result = measured(model, data.in_order("val"))
    assert terms.kl is not None
    assert result["loss"] == pytest.approx(float(terms.loss.double().mean()), rel=1e-6)
    assert result["rec"] == pytest.approx(float(terms.rec.double().mean()), rel=1e-6)
    assert result["kl"] == pytest.approx(float(terms.kl.double().mean()), rel=1e-6)


def test_training_means_weigh_images_equally(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = make_system(VAE, make_network(), "elbo")
    recorder = Recorder(model)
    trainer = fit(model, make_data(train=9, batch_size=8))
    losses = torch.cat([forward.losses for forward in recorder.forwards]).double()
    assert [len(forward.losses) for forward in recorder.forwards] == [8, 1]
    assert float(trainer.callback_metrics["train/loss"]) == pytest.approx(
        float(losses.mean()), rel=1e-6
    )


def test_every_validation_of_a_run_is_that_of_the_whole_split(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model, data = make_system(OptimalSigmaVAE, make_network(), "sigma_data"), make_data()
    trainer = fit(model, data, epochs=2)
    expected = measured(model, data.in_order("val"))
    logged = {
        name[4:]: float(value)
        for name, value in trainer.callback_metrics.items()
        if name.startswith("val/")
    }
    assert logged == pytest.approx(expected, rel=1e-6)


def test_the_sanity_check_leaves_every_buffer_alone(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = make_system(OptimalSigmaVAE, make_network(), "sigma_optimal")
    before, after = state([model]), {}

    class Look(Callback):
        def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            after.update(state([model]))

    fit(model, make_data(), callbacks=[Look()], num_sanity_val_steps=2)
    assert equal(after, before)


def test_a_checkpoint_validated_after_the_run_has_the_yardstick_of_its_own_epoch(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model, data = make_system(VAE, make_network()), make_data()
    trainer = fit(model, data)
    own = 2 * float(model.train_mse)  # as an earlier epoch of a larger error has kept it
    model.train_mse.fill_(own)
    before = trainer.callback_metrics["val/elbo"]
    [metrics] = trainer.validate(model, data, verbose=False)
    assert float(model.train_mse) == own
    assert metrics["val/elbo"] < before


@pytest.mark.parametrize("variant", [VAE, MMDInfoVAE])
def test_the_yardstick_is_the_elbo_under_the_variance_of_train(
    variant: type[BaseVAE], make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = make_system(variant, make_network())
    metrics = {
        name: float(value) for name, value in fit(model, make_data()).callback_metrics.items()
    }
    sigma2 = metrics["train/rec"] / 64
    assert float(model.train_mse) == pytest.approx(sigma2, rel=1e-6)
    for split in ("train", "val"):
        rec, kl = metrics[f"{split}/rec"], metrics[f"{split}/kl"]
        elbo = -0.5 * (64 * math.log(2 * math.pi * sigma2) + rec / sigma2) - kl
        assert metrics[f"{split}/elbo"] == pytest.approx(elbo, rel=1e-5)
        # log2 of the density on 0..255 instead of 0..1: each of the 64 numbers is 256 times as
        # wide.
        bits = -(elbo - 64 * math.log(256)) / 64 / math.log(2)
        assert metrics[f"{split}/bits_per_dim"] == pytest.approx(bits, rel=1e-5)
        assert metrics[f"{split}/kl_per_dim"] == pytest.approx(kl / 3, rel=1e-6)


def test_an_autoencoder_has_no_elbo(make_network: MakeNetwork, make_data: MakeData) -> None:
    model = make_system(AutoEncoder, make_network(parameters_per_latent=1), "reconstruction")
    assert set(measured(model, make_data().in_order("val"))) == {"loss", "distortion", "rec"}


def test_the_logged_sigma2_of_a_weighted_kl_is_the_equivalent_one(
    make_network: MakeNetwork, make_data: MakeData
) -> None:
    data = make_data()
    assert measured(make_system(VAE, make_network(), "elbo"), data.in_order("val"))["sigma2"] == 1
    assert measured(make_system(BetaVAE, make_network(), "beta", beta=4), data.in_order("val"))[
        "sigma2"
    ] == pytest.approx(4 / 2 / 3)
