"""The losses of a split."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from reslag_vae.data import ImageDataModule
from reslag_vae.evaluation.losses import evaluate, measure_yardstick
from reslag_vae.networks import Network
from reslag_vae.objectives import ELBO, SigmaFixed
from reslag_vae.variants import VAE

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]


class Constant(nn.Module):
    """The same output for every input."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = nn.Parameter(value)

    def forward(self, images: Tensor) -> Tensor:
        return self.value.expand(len(images), *self.value.shape)


@pytest.fixture
def constant(make_network: MakeNetwork) -> VAE:
    """A model whose numbers have a closed form.

    Every posterior is N((1, 2, 0), (1, 1, 4)) and every image grey.
    """
    network = make_network()
    network.inference = Constant(
        torch.tensor([1.0, 2.0, 0.0, 0.0, 0.0, 20 * math.atanh(math.log(4) / 20)])
    )
    network.generative = Constant(torch.full((1, 8, 8), 0.5))
    return VAE(network, SigmaFixed(0.05))


def test_means_have_their_closed_form(constant: VAE, make_data: MakeData) -> None:
    data = make_data(val=11, batch_size=4)
    pixels = data.split("val").images.double() / 255
    rec = float((pixels - 0.5).square().sum((1, 2, 3)).mean())
    kl = 0.5 * (1 + 4 + (4 - 1 - math.log(4)))
    result = evaluate(constant, data.in_order("val"))
    assert result["rec"] == pytest.approx(rec, rel=1e-6)
    assert result["kl"] == pytest.approx(kl, rel=1e-6)
    assert result["kl_per_dim"] == pytest.approx(kl / 3, rel=1e-6)
    assert result["sigma2"] == pytest.approx(0.05)
    assert result["loss"] == pytest.approx(32 * math.log(0.05) + rec / 0.1 + kl, rel=1e-6)
    # A posterior that is the same for every image tells nothing of it.
    assert result["active_units"] == 0
    assert result["mutual_information"] == pytest.approx(0, abs=1e-6)
    assert result["mutual_information_ceiling"] == pytest.approx(math.log(11))


def test_the_yardstick_is_the_mean_squared_error_on_train(
    constant: VAE, make_data: MakeData
) -> None:
    data = make_data(train=21, batch_size=4)
    measure_yardstick(constant, data.in_order("train"))
    pixels = data.split("train").images.double() / 255
    sigma2 = float((pixels - 0.5).square().mean())
    assert float(constant.train_mse) == pytest.approx(sigma2, rel=1e-6)
    # On the split where the variance was measured its ELBO is -D/2 (ln 2 pi s2 + 1) - KL.
    result = evaluate(constant, data.in_order("train"))
    assert result["elbo"] == pytest.approx(
        -32 * (math.log(2 * math.pi * sigma2) + 1) - result["kl"], rel=1e-6
    )


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_of_the_model_is_left_as_it_was(
    training: bool, make_network: MakeNetwork, make_data: MakeData
) -> None:
    model = VAE(make_network(), ELBO()).train(training)
    evaluate(model, make_data().in_order("val"))
    assert model.training == training

    class WrongError(RuntimeError):
        pass

    def batches() -> None:
        raise WrongError
        yield

    with pytest.raises(WrongError):
        evaluate(model, batches())  # type: ignore[arg-type]
    assert model.training == training


def test_an_evaluation_keeps_no_graph(make_network: MakeNetwork, make_data: MakeData) -> None:
    model = VAE(make_network(), ELBO())
    evaluate(model, make_data().in_order("val"))
    kept = [tensor for tensors in model.latent_statistics.kept for tensor in tensors]
    assert kept
    assert not any(tensor.requires_grad for tensor in kept)
