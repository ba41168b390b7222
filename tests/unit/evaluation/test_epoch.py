"""An evaluation of a split."""

import math
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from reslag_vae.data import ImageDataModule
from reslag_vae.data.images import Batch
from reslag_vae.evaluation.epoch import (
    EVALUATION_SEED,
    EvaluationEpoch,
    evaluate,
    measure_yardstick,
)
from reslag_vae.latents import MixturePrior, Prior
from reslag_vae.latents.noise import normal_rows
from reslag_vae.likelihoods import Bernoulli, FixedVariance, Gaussian
from reslag_vae.models import FlatModel
from reslag_vae.networks import Network
from reslag_vae.objectives import ELBO, MMD, Objective
from tests.systems import make_model

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]


class Constant(nn.Module):
    """The same output for every input."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = nn.Parameter(value)

    def forward(self, images: Tensor) -> Tensor:
        # A copy: a view of a parameter wants gradients, whatever the mode.
        return self.value.expand(len(images), *self.value.shape).clone()


@pytest.fixture
def constant(make_network: MakeNetwork) -> FlatModel:
    """Every posterior is N((1, 2, 0), (1, 1, 4)) and every image grey: closed forms."""
    network = make_network()
    network.inference = Constant(
        torch.tensor([1.0, 2.0, 0.0, 0.0, 0.0, 20 * math.atanh(math.log(4) / 20)])
    )
    # The sigmoid of 0 is grey.
    network.generative = Constant(torch.zeros(1, 8, 8))
    return make_model(network, "sigma_fixed")


def test_means_have_their_closed_form(constant: FlatModel, make_data: MakeData) -> None:
    data = make_data(val=11, batch_size=4)
    pixels = data.split("val").images.double() / 255
    rec = float((pixels - 0.5).square().sum((1, 2, 3)).mean())
    kl = 0.5 * (1 + 4 + (4 - 1 - math.log(4)))
    result = evaluate(constant, ELBO(), data.in_order("val")).metrics(train_mse=1.0)
    assert result["rec"] == pytest.approx(rec, rel=1e-6)
    assert result["kl"] == pytest.approx(kl, rel=1e-6)
    assert result["kl_per_dim"] == pytest.approx(kl / 3, rel=1e-6)
    assert result["sigma2"] == pytest.approx(0.05)
    nll = 32 * math.log(0.05) + rec / 0.1
    assert result["distortion"] == pytest.approx(nll, rel=1e-6)
    assert result["loss"] == pytest.approx(nll + kl, rel=1e-6)
    # A posterior that is the same for every image tells nothing of it.
    assert result["active_units"] == 0
    assert result["mutual_information"] == pytest.approx(0, abs=1e-6)
    assert result["mutual_information_ceiling"] == pytest.approx(math.log(11))


def test_the_yardstick_is_the_mean_squared_error_on_train(
    constant: FlatModel, make_data: MakeData
) -> None:
    data = make_data(train=21, batch_size=4)
    measured = measure_yardstick(constant, ELBO(), data.in_order("train"))
    pixels = data.split("train").images.double() / 255
    sigma2 = float((pixels - 0.5).square().mean())
    assert measured == pytest.approx(sigma2, rel=1e-6)
    # On the split where the variance was measured its ELBO is -D/2 (ln 2 pi s2 + 1) - KL.
    result = evaluate(constant, ELBO(), data.in_order("train")).metrics(measured)
    assert result["elbo"] == pytest.approx(
        -32 * (math.log(2 * math.pi * sigma2) + 1) - result["kl"], rel=1e-6
    )


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_of_the_model_is_left_as_it_was(
    training: bool, make_network: MakeNetwork, make_data: MakeData
) -> None:
    model, objective = make_model(make_network()).train(training), ELBO().train(training)
    evaluate(model, objective, make_data().in_order("val"))
    assert model.training == objective.training == training

    class WrongError(RuntimeError):
        pass

    def batches() -> Iterator[Batch]:
        raise WrongError
        yield

    with pytest.raises(WrongError):
        evaluate(model, objective, batches())
    assert model.training == objective.training == training


def test_an_evaluation_keeps_no_graph(make_network: MakeNetwork, make_data: MakeData) -> None:
    epoch = evaluate(make_model(make_network()), ELBO(), make_data().in_order("val"))
    kept = [tensor for tensors in epoch.latents.kept for tensor in tensors]
    assert kept
    assert not any(tensor.requires_grad for tensor in kept)


@pytest.mark.parametrize("prior", [None, MixturePrior(3, components=4)])
def test_neither_the_batch_size_nor_the_global_random_state_counts(
    prior: Prior | None, make_network: MakeNetwork, make_data: MakeData
) -> None:
    model = FlatModel(make_network(), Gaussian(FixedVariance(0.1)), prior=prior).eval()
    state = torch.random.get_rng_state()
    whole, parts = (
        evaluate(model, ELBO(), make_data(val=11, batch_size=size).in_order("val")).metrics(0.1)
        for size in (11, 2)
    )
    assert torch.equal(torch.random.get_rng_state(), state)
    assert parts == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("objective", [ELBO(), MMD(), MMD(prior_samples=5)])
def test_images_that_another_process_takes_keep_their_noise(
    objective: Objective, make_network: MakeNetwork, make_data: MakeData
) -> None:
    model = make_model(make_network()).eval()
    batches = list(make_data(val=11, batch_size=4).in_order("val"))
    alone, shared = (EvaluationEpoch(model, objective) for _ in range(2))
    last = [alone.add(batch) for batch in batches][-1]
    shared.skip(2, 4)
    assert torch.equal(shared.add(batches[-1]).loss, last.loss)


def test_the_elbo_of_a_mass_is_the_models_own(
    make_network: MakeNetwork, make_data: MakeData
) -> None:
    network = make_network()
    network.inference, network.generative = (
        Constant(torch.zeros(6)),
        Constant(torch.zeros(1, 8, 8)),
    )
    model = FlatModel(network, Bernoulli())
    batches = [
        Batch((images > 127) * torch.tensor(255, dtype=torch.uint8), labels)
        for images, labels in make_data().in_order("val")
    ]
    # Whatever the yardstick's variance: a coin for each of the 64 pixels, N(0, I) for every code.
    for train_mse in (0.1, 1.0):
        result = evaluate(model, ELBO(), batches).metrics(train_mse)
        assert result["elbo"] == pytest.approx(-64 * math.log(2), rel=1e-6)
        assert result["bits_per_dim"] == pytest.approx(1.0, rel=1e-6)
        assert "sigma2" not in result


@torch.no_grad()
def test_a_kl_without_a_closed_form_is_that_of_the_samples(
    make_network: MakeNetwork, make_data: MakeData
) -> None:
    model = FlatModel(make_network(), Bernoulli(), prior=MixturePrior(3, components=4)).eval()
    batches = list(make_data(val=11, batch_size=4).in_order("val"))
    epoch = evaluate(model, ELBO(), batches)
    assert epoch.latents.kl_per_dimension() is None
    noise = torch.Generator().manual_seed(EVALUATION_SEED)
    sampled = []
    for batch in batches:
        drawn = normal_rows(len(batch.images), 3, noise)
        sampled.append(-model.infer(batch.images / 255, (drawn,)).log_ratio())
    assert epoch.metrics(1.0)["kl"] == pytest.approx(float(torch.cat(sampled).mean()), rel=1e-5)
    assert epoch.latents.rate() == pytest.approx(epoch.metrics(1.0)["kl"], rel=1e-5)
