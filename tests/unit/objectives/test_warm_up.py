import pytest
import torch

from reslag_vae.latents import DiagonalGaussian
from reslag_vae.likelihoods import Distortion
from reslag_vae.objectives import ELBO, WarmUp
from tests.inferred import infer

MEAN = torch.tensor([[0.5, -1.0], [2.0, 0.1]], dtype=torch.float64)
NLL = torch.tensor([3.0, 4.0], dtype=torch.float64)


def loss(objective: torch.nn.Module) -> torch.Tensor:
    posterior = DiagonalGaussian(MEAN, torch.zeros_like(MEAN))
    terms = objective(Distortion(NLL, NLL, {}), infer(posterior, MEAN))
    result: torch.Tensor = terms.loss
    return result


@pytest.mark.parametrize(("epoch", "weight"), [(0, 0.2), (1, 0.4), (3, 0.8), (4, 1.0), (9, 1.0)])
def test_the_weight_of_the_kl_rises_by_equal_steps(epoch: int, weight: float) -> None:
    objective = WarmUp(start=0.2, epochs=4)
    objective.begin_epoch(epoch)
    kl = MEAN.square().sum(1) / 2

    torch.testing.assert_close(loss(objective), NLL + weight * kl, rtol=1e-6, atol=1e-6)


def test_evaluation_is_the_elbo_in_every_epoch() -> None:
    assert torch.equal(loss(WarmUp().eval()), loss(ELBO()))


def test_without_epochs_it_is_the_elbo() -> None:
    assert torch.equal(loss(WarmUp(epochs=0)), loss(ELBO()))


def test_a_run_that_ends_before_the_rise_is_refused() -> None:
    WarmUp(epochs=10).check_length(10)
    with pytest.raises(ValueError, match=r"objective\.epochs=10: .*max_epochs=9"):
        WarmUp(epochs=10).check_length(9)


@pytest.mark.parametrize("options", [{"start": -0.1}, {"start": 1.1}, {"epochs": -1}])
def test_wrong_values_are_refused(options: dict[str, float]) -> None:
    (name,) = options
    with pytest.raises(ValueError, match=rf"objective\.{name}="):
        WarmUp(**options)  # type: ignore[arg-type]
