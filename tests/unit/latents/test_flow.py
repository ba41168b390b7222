"""The flow as a prior: exact against autograd, near N(0, I) at its start."""

import sys
from typing import get_args

import pytest
import torch
from torch import Tensor

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.latents import DiagonalGaussian, FlowPrior, estimated, flow
from reslag_vae.latents.flow import Kind
from reslag_vae.latents.remembered import Remembered

every_kind = pytest.mark.parametrize("kind", get_args(Kind))


def trained(kind: Kind, dimensions: int = 4) -> FlowPrior:
    """A flow in float64 far from its start."""
    prior = FlowPrior(dimensions, kind, transforms=3, hidden_features=[16, 12]).double()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return prior


def rows(count: int, dimensions: int = 4, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(count, dimensions, dtype=torch.float64)


@every_kind
@torch.no_grad()
def test_its_inverse_is_exact(kind: Kind) -> None:
    prior, noise = trained(kind), rows(50, scale=3)
    latents = prior.from_noise(noise)

    assert (latents - noise).abs().mean() > 0.1
    torch.testing.assert_close(prior.to_noise(latents)[0], noise, rtol=1e-9, atol=1e-9)


@every_kind
def test_its_log_determinant_is_that_of_autograd(kind: Kind) -> None:
    prior, latents = trained(kind), rows(6, scale=2)
    found = prior.to_noise(latents)[1]

    for i, latent in enumerate(latents):
        jacobian: Tensor = torch.autograd.functional.jacobian(  # type: ignore[no-untyped-call]
            lambda z: prior.to_noise(z[None])[0][0], latent
        )
        torch.testing.assert_close(found[i], jacobian.slogdet()[1], rtol=1e-9, atol=1e-9)
    assert found.abs().min() > 1e-3


@every_kind
@torch.no_grad()
def test_its_density_of_two_dimensions_integrates_to_one(kind: Kind) -> None:
    line = torch.linspace(-12, 12, 401, dtype=torch.float64)
    points = torch.cartesian_prod(line, line)
    probabilities = trained(kind, 2)().log_prob(points).exp().view(401, 401)

    total = torch.trapezoid(torch.trapezoid(probabilities, line), line)
    assert float(total) == pytest.approx(1, abs=5e-3)


@every_kind
@torch.no_grad()
def test_each_dimension_depends_on_others_and_is_mapped(kind: Kind) -> None:
    prior, latents = trained(kind), rows(1)
    jacobian: Tensor = torch.autograd.functional.jacobian(  # type: ignore[no-untyped-call]
        lambda z: prior.to_noise(z)[0][0], latents
    )[:, 0]

    assert ((jacobian != 0).sum(1) > 1).all()
    assert ((jacobian != 0).sum(0) > 1).all()


@every_kind
@pytest.mark.parametrize("dimensions", [1, 2, 7])
@torch.no_grad()
def test_it_starts_near_the_standard_normal(kind: Kind, dimensions: int) -> None:
    prior = FlowPrior(dimensions, kind, hidden_features=[16])
    latents, zeros = torch.randn(200, dimensions), torch.zeros(dimensions)
    expected = DiagonalGaussian(zeros, zeros).log_prob(latents)

    torch.testing.assert_close(prior().log_prob(latents), expected, rtol=0, atol=0.2)
    torch.testing.assert_close(prior().mean, zeros, rtol=0, atol=0.05)
    torch.testing.assert_close(prior().variance, torch.ones(dimensions), rtol=0, atol=0.05)


@every_kind
@torch.no_grad()
def test_samples_are_a_function_of_noise_scaled_by_the_temperature(kind: Kind) -> None:
    prior, noise = trained(kind), rows(9)

    assert torch.equal(prior.from_noise(noise), prior.from_noise(noise))
    assert torch.equal(prior.from_noise(noise, 0.5), prior.from_noise(0.5 * noise))
    cold = prior.from_noise(noise, 0.0)
    torch.testing.assert_close(cold, cold[:1].expand_as(cold), rtol=1e-9, atol=1e-9)


@every_kind
@torch.no_grad()
def test_moments_are_those_of_many_samples_and_known_for_an_affine_map(kind: Kind) -> None:
    prior = trained(kind)
    many = prior.from_noise(rows(20_000))
    torch.testing.assert_close(prior().mean, many.mean(0), rtol=0, atol=0.1)
    torch.testing.assert_close(prior().variance, many.var(0), rtol=0.1, atol=0)

    for parameter in prior.parameters():
        parameter.zero_()
    zeros, ones = torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    torch.testing.assert_close(prior().mean, zeros)
    torch.testing.assert_close(prior().variance, ones)


@every_kind
@torch.no_grad()
def test_latents_in_parts_are_mapped_as_all_at_once(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior, noise = trained(kind), rows(10)
    whole = prior.from_noise(noise), prior().log_prob(noise)
    for module in (estimated, flow):
        monkeypatch.setattr(module, "ROWS", 3)
    parts = prior.from_noise(noise), prior().log_prob(noise)
    torch.testing.assert_close(parts, whole, rtol=1e-9, atol=1e-9)


def test_moments_are_estimated_once_and_anew_when_the_flow_has_changed() -> None:
    prior, before = trained("coupling"), torch.get_rng_state()
    first = prior.moments()
    assert prior.moments() is first
    assert torch.equal(torch.get_rng_state(), before), "the global generator was used"

    optimizer = torch.optim.Adam(prior.parameters())
    prior().log_prob(rows(5)).mean().backward()
    optimizer.step()
    second = prior.moments()
    assert not torch.equal(second[0], first[0])
    prior.load_state_dict(trained("coupling").state_dict())
    assert not torch.equal(prior.moments()[0], second[0])
    assert prior.float().moments()[0].dtype == torch.float32


def test_what_is_remembered_depends_on_every_tensor() -> None:
    remembered: Remembered[int] = Remembered()
    first, second = torch.zeros(2), torch.zeros(2)

    assert remembered.get((first, second), lambda: 1) == 1
    assert remembered.get((first, second), lambda: 2) == 1
    second.add_(1)
    assert remembered.get((first, second), lambda: 3) == 3
    assert remembered.get((first, second.clone()), lambda: 4) == 4


def test_of_tensors_made_in_inference_mode_nothing_is_remembered() -> None:
    remembered: Remembered[int] = Remembered()
    with torch.inference_mode():
        tensor = torch.zeros(2)
        assert remembered.get([tensor], lambda: 1) == 1
        tensor.add_(1)
        assert remembered.get([tensor], lambda: 2) == 2


def test_it_is_as_exact_under_autocast() -> None:
    prior, latents = trained("coupling").float(), torch.randn(5, 4)
    expected = prior().log_prob(latents), prior.from_noise(latents)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(prior().log_prob(latents), expected[0])
        assert torch.equal(prior.from_noise(latents), expected[1])


@every_kind
@torch.no_grad()
@pytest.mark.parametrize("value", [-1e4, 1e4])
def test_a_large_flow_stays_finite_too(kind: Kind, value: float) -> None:
    prior = FlowPrior(16, kind)
    for parameter in prior.parameters():
        parameter.fill_(value)
    samples = prior.from_noise(torch.randn(20, 16))

    assert samples.isfinite().all()
    assert prior().log_prob(samples).isfinite().all()


def test_two_of_the_same_options_have_the_same_order() -> None:
    first, second = FlowPrior(9).state_dict(), FlowPrior(9).state_dict()
    names = [name for name in first if name.endswith((".order", ".mask"))]

    assert names
    assert all(torch.equal(first[name], second[name]) for name in names)


@every_kind
def test_it_is_built_where_there_is_no_memory(kind: Kind) -> None:
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in FlowPrior(3, kind).state_dict().items()}
    assert shapes == {name: value.shape for name, value in FlowPrior(3, kind).state_dict().items()}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "planar"}, r"^prior\.kind=planar: must be one of coupling, splines\.$"),
        ({"transforms": 0}, r"^prior\.transforms=0: must be a whole number from 1 to 64\.$"),
        ({"hidden_features": []}, r"^prior\.hidden_features=\[\]: must be a list of 1 to 8"),
        (
            {"latent_dim": 100_000, "hidden_features": [4096]},
            r"^prior\.transforms=8, prior\.hidden_features=\[4096\], prior\.latent_dim=100000: a ",
        ),
        ({"latent_dim": 5000, "kind": "splines", "hidden_features": [1]}, r"a flow of more than"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FlowPrior(**({"latent_dim": 3} | options))  # type: ignore[arg-type]


def test_without_zuko_the_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zuko.flows.autoregressive", None)
    with pytest.raises(ConfigError, match=r"^prior=flow: needs zuko, .*: pip install zuko\.$"):
        FlowPrior(3)
