"""The masses of a pixel, against closed forms in float64."""

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical

from reslag_vae.likelihoods.masses import (
    MASSES,
    BernoulliMass,
    LevelsMass,
    LogisticMixtureMass,
    PixelMass,
)
from tests.contracts.numbers import assert_mean

COUNT = 4
LEVELS = torch.arange(256, dtype=torch.float64) / 255


def outputs_for(mass: PixelMass, count: int = COUNT) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = (count, mass.outputs, 1, 1)
    return 2 * torch.randn(shape, dtype=torch.float64, generator=generator)


def pixels(values: Tensor) -> Tensor:
    """(N, C) values as (N, C, 1, 1) images."""
    return values[:, :, None, None]


def values_of(mass: PixelMass) -> Tensor:
    """(N, C) every value that a pixel of the mass may have."""
    if mass.binary:
        return torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 2)
    return LEVELS[:, None] if mass.uniforms < 3 else torch.cartesian_prod(LEVELS, LEVELS)


each_mass = pytest.mark.parametrize(
    "mass",
    [BernoulliMass(2), LevelsMass(1), LogisticMixtureMass(1, 3), LogisticMixtureMass(2, 3)],
    ids=["bernoulli", "levels", "grey mixture", "coloured mixture"],
)


@each_mass
def test_all_values_together_have_a_mass_of_one(mass: PixelMass) -> None:
    values = values_of(mass)
    for outputs in outputs_for(mass).split(1):
        masses = mass.log_prob(pixels(values), outputs.expand(len(values), -1, 1, 1)).exp()
        assert float(masses.sum()) == pytest.approx(1, abs=1e-12)


@each_mass
def test_draws_have_the_mass_s_moments(mass: PixelMass) -> None:
    values, outputs = values_of(mass), outputs_for(mass, 1)
    masses = mass.log_prob(pixels(values), outputs.expand(len(values), -1, 1, 1)).exp()
    uniforms = torch.rand(20_000, mass.uniforms, dtype=torch.float64, generator=seeded(2))
    drawn = mass.draw(outputs[:, :, 0, 0].expand(len(uniforms), -1), uniforms)

    for function in (torch.sin, torch.square, lambda x: x.prod(1, keepdim=True)):
        assert_mean(function(drawn), masses.flatten() @ function(values))
    if not mass.binary:
        torch.testing.assert_close(drawn, (255 * drawn).round() / 255, rtol=0, atol=1e-12)


def test_draws_are_at_the_ends_of_the_cells() -> None:
    """The least uniform number gives the first value, the greatest the last."""
    ends = torch.tensor([0.0, 1 - 1e-12], dtype=torch.float64)
    levels = LevelsMass(1).draw(torch.zeros(2, 256, dtype=torch.float64), ends[:, None])
    mixture = LogisticMixtureMass(1)
    flat = mixture.draw(
        torch.zeros(2, mixture.outputs, dtype=torch.float64), ends[:, None].repeat(1, 2)
    )

    assert levels.flatten().tolist() == [0, 1]
    assert flat.flatten().tolist() == [0, 1]


@each_mass
def test_the_mean(mass: PixelMass) -> None:
    """Exact, but for a mixture's: levels are rounded, and colours depend on each other."""
    values = values_of(mass)
    exact = isinstance(mass, BernoulliMass | LevelsMass)
    for outputs in outputs_for(mass).split(1):
        masses = mass.log_prob(pixels(values), outputs.expand(len(values), -1, 1, 1)).exp()
        mean, expected = mass.mean(outputs)[0, :, 0, 0], masses.flatten() @ values
        checked = len(mean) if exact else 1
        torch.testing.assert_close(
            mean[:checked], expected[:checked], rtol=0, atol=1e-12 if exact else 1 / 255
        )
        assert mean.min() >= 0
        assert mean.max() <= 1


@each_mass
def test_half_precision_around_it_changes_nothing(mass: PixelMass) -> None:
    outputs, values = outputs_for(mass).float(), values_of(mass)[-COUNT:].float()
    uniforms = torch.rand(COUNT, mass.uniforms, generator=seeded(2))

    def results() -> list[Tensor]:
        log_prob = mass.log_prob(pixels(values), outputs)
        return [log_prob, mass.mean(outputs), mass.draw(outputs[:, :, 0, 0], uniforms)]

    expected = results()
    with torch.autocast("cpu", torch.bfloat16):
        for own, other in zip(results(), expected, strict=True):
            assert own.dtype == other.dtype
            assert torch.equal(own, other)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_binary_pixels() -> None:
    mass = BernoulliMass(3)
    outputs = outputs_for(mass)
    images = torch.rand(COUNT, 3, 1, 1, dtype=torch.float64, generator=seeded(3)).round()
    expected = Bernoulli(logits=outputs).log_prob(images).sum(1)

    torch.testing.assert_close(mass.log_prob(images, outputs), expected)


def test_grey_levels() -> None:
    mass = LevelsMass(1)
    outputs, levels = outputs_for(mass), torch.tensor([0, 1, 100, 255])
    expected = Categorical(logits=outputs[:, :, 0, 0]).log_prob(levels)
    images = pixels(levels[:, None].double() / 255)

    torch.testing.assert_close(mass.log_prob(images, outputs)[:, 0, 0], expected)


def reference(values: list[int], outputs: Tensor, components: int) -> float:
    """Log-mass of one pixel of levels under a logistic mixture, by the paper's words, in a loop."""
    channels = len(values)
    own = outputs.flatten().view(components, -1)
    scaled = [2 * level / 255 - 1 for level in values]
    total = torch.zeros((), dtype=torch.float64)
    for part, weight in zip(own, own[:, 0].softmax(0), strict=True):
        mass = weight
        for channel, level in enumerate(values):
            centre = part[1 + channel]
            scale = part[1 + channels + channel].clamp(min=-7).exp()
            slopes = part[1 + 2 * channels :].tanh()
            for other in range(channel):
                centre = centre + slopes[channel * (channel - 1) // 2 + other] * scaled[other]
            upper, lower = (
                torch.sigmoid((scaled[channel] + half - centre) / scale)
                for half in (1 / 255, -1 / 255)
            )
            upper = torch.ones_like(upper) if level == 255 else upper
            lower = torch.zeros_like(lower) if level == 0 else lower
            mass = mass * (upper - lower)
        total = total + mass
    return float(total.log())


@pytest.mark.parametrize("values", [[0, 255, 127], [3, 4, 5], [255, 0, 0], [254, 1, 255]])
def test_a_colour_under_a_logistic_mixture(values: list[int]) -> None:
    mass = LogisticMixtureMass(3, 5)
    outputs = outputs_for(mass, 1)
    image = pixels(torch.tensor([values], dtype=torch.float64) / 255)

    assert mass.outputs == 5 * (1 + 3 + 3 + 3)
    assert float(mass.log_prob(image, outputs)) == pytest.approx(
        reference(values, outputs, 5), rel=1e-9
    )


def test_a_cell_far_from_every_component_keeps_a_finite_mass_and_gradient() -> None:
    """Where both ends of the cell round to the same cumulative probability, also in float32."""
    mass = LogisticMixtureMass(1, 1)
    outputs = torch.tensor([0.0, 1.0, -7.0]).view(1, 3, 1, 1).requires_grad_()
    log_mass = mass.log_prob(torch.full((1, 1, 1, 1), 20 / 255), outputs)
    log_mass.sum().backward()

    assert float(log_mass.detach()) < -1000
    assert log_mass.isfinite().all()
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()


def test_a_component_wider_than_the_pixels_has_half_of_its_mass_at_each_end() -> None:
    """Whatever a network's numbers are, also in float32."""
    mass = LogisticMixtureMass(1, 1)
    outputs = torch.tensor([0.0, 0.0, 100.0]).view(1, 3, 1, 1).requires_grad_()
    images = torch.linspace(0, 1, 256).view(256, 1, 1, 1)
    log_mass = mass.log_prob(images, outputs.expand(256, -1, -1, -1))
    log_mass.sum().backward()

    masses = log_mass.detach().exp().flatten()
    assert masses.sum() == pytest.approx(1, rel=1e-4)
    assert masses[[0, -1]] == pytest.approx(0.5, rel=1e-3)
    assert float(mass.mean(outputs.detach())) == pytest.approx(0.5, abs=1e-3)
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()


def test_levels_are_of_one_channel() -> None:
    with pytest.raises(ValueError, match=r"likelihood\.pixels=levels: .*logistic_mixture"):
        LevelsMass(3)


def test_names() -> None:
    assert set(MASSES) == {"bernoulli", "levels", "logistic_mixture"}
