"""Updates whose gradient is far above the usual are skipped, and training goes on."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from unittest.mock import Mock

import pytest
import torch
from lightning import Trainer
from torch import Tensor, nn
from torch.optim import Adam

from reslag_vae._runtime.errors import NonFiniteError
from reslag_vae.data import ImageDataModule
from reslag_vae.models import terms as terms_module
from reslag_vae.models.generative import GROUPS, Group
from reslag_vae.networks import Network
from reslag_vae.objectives import Terms
from reslag_vae.training import gradient_skip
from reslag_vae.training.gradient_skip import WINDOW, GradientSkip
from reslag_vae.training.group_steps import GroupSteps
from reslag_vae.training.noise import draw_noise
from reslag_vae.training.optimizers import AdamSettings
from reslag_vae.training.schedules import Joint, Lagging, Schedule
from reslag_vae.training.system import BaseVAE
from reslag_vae.variants import VAE, LaggingVAE, OptimalSigmaVAE
from tests.systems import make_system
from tests.updates import epoch_batches, equal, shared_state

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]

JOINTLY: tuple[tuple[Group, ...], ...] = (GROUPS,)
IN_TURNS: tuple[tuple[Group, ...], ...] = (("inference",), ("inference",), ("generative",))


def judged(rule: GradientSkip, norms: Sequence[float]) -> list[bool]:
    return [bool(rule.judge(torch.tensor(norm, dtype=torch.float64))) for norm in norms]


class ByHand:
    """The rule on Python numbers."""

    def __init__(self, factor: float, window: int) -> None:
        self.factor, self.window = factor, window
        self.norms: list[float] = []

    def judge(self, norm: float) -> bool:
        if not math.isfinite(norm):
            return True
        before = sorted(self.norms[-self.window :])
        self.norms.append(norm)
        full = len(before) == self.window
        return full and norm > self.factor * before[(self.window - 1) // 2]


@pytest.mark.parametrize("factor", [1.5, 4.0])
def test_the_rule_is_that_on_numbers(factor: float) -> None:
    norms = torch.randn(1000, dtype=torch.float64).mul(1.5).exp()
    norms[400:] *= 100
    norms[700:] /= 1000
    norms[torch.rand(1000) < 0.02] = math.nan
    norms[torch.rand(1000) < 0.02] = math.inf
    by_hand = ByHand(factor, WINDOW)
    expected = [by_hand.judge(norm) for norm in norms.tolist()]
    rule = GradientSkip(factor)
    assert judged(rule, norms.tolist()) == expected
    assert 50 < sum(expected) < 500
    assert int(rule.skipped) == sum(expected)
    assert int(rule.non_finite) == 1000 - int(norms.isfinite().sum())


@pytest.mark.parametrize("parameters", [[], [nn.Parameter(torch.zeros(3, device="meta"))]])
def test_a_group_without_gradients_takes_its_step_on_every_device(
    parameters: list[nn.Parameter],
) -> None:
    steps = GroupSteps(AdamSettings(skip_above=4.0, clip_norm=1.0))
    steps.to(torch.empty(0, device="meta"))
    optimizer = Mock()
    steps.take("inference", optimizer, parameters)
    optimizer.step.assert_called_once_with()


def test_nothing_is_skipped_before_the_window_is_full() -> None:
    falling = [1e9 * 0.9**step for step in range(WINDOW - 1)]
    assert not any(judged(GradientSkip(2.0), [*falling, 1e12]))
    assert judged(GradientSkip(2.0), [*falling, 1.0, 1e12])[-2:] == [False, True]


def test_a_spike_alone_is_skipped() -> None:
    assert judged(GradientSkip(4.0), [1.0] * WINDOW + [4.0, 4.1, 1.0, 1e30, 1.0]) == [
        *[False] * WINDOW,
        *(False, True, False, True, False),
    ]


@pytest.mark.parametrize("rise", [100.0, 1e20])
def test_a_rise_for_good_skips_51_updates_and_no_more(rise: float) -> None:
    found = judged(GradientSkip(4.0), [1.0] * 150 + [rise] * 1000)
    assert found == [False] * 150 + [True] * 51 + [False] * 949


def test_what_is_not_finite_changes_no_threshold() -> None:
    rule, bad = GradientSkip(4.0), [math.nan, math.inf] * WINDOW
    judged(rule, [1.0] * WINDOW)
    before = rule.state()
    assert all(judged(rule, bad))
    assert torch.equal(rule.state(), before)
    assert judged(rule, [3.0, 5.0]) == [False, True]


@pytest.mark.parametrize("count", [0, 1, 60, WINDOW, 250])
def test_a_restored_rule_judges_as_the_one_that_was_saved(count: int) -> None:
    norms = torch.randn(600, dtype=torch.float64).exp().tolist()
    whole, first, second = (GradientSkip(1.5) for _ in range(3))
    expected = judged(whole, norms)
    found = judged(first, norms[:count])
    second.restore(first.state())
    assert found + judged(second, norms[count:]) == expected
    assert any(expected[count:])


def double_images(images: Tensor) -> Tensor:
    return images.double() / 255


class Scaled:
    """Multiplies the loss of each of a system's updates by the next factor, in place of terms."""

    def __init__(self, system: BaseVAE, factors: Sequence[float]) -> None:
        self.original, self.factors = system.terms, iter(factors)
        system.terms = self  # type: ignore[method-assign]

    def __call__(
        self, images: Tensor, noise: tuple[Tensor, ...] | None, prior: Tensor | None
    ) -> Terms:
        terms = self.original(images, noise, prior)
        return terms._replace(loss=terms.loss * next(self.factors))


class Loop:
    """Training by hand: a fresh decision on numbers, and no step where it is negative."""

    def __init__(self, system: BaseVAE, settings: AdamSettings, window: int) -> None:
        assert settings.skip_above is not None
        self.system, self.clip_norm = system, settings.clip_norm
        self.optimizers = {
            name: Adam(system.group_parameters(name), lr=settings.lr, fused=True) for name in GROUPS
        }
        self.rules = {name: ByHand(settings.skip_above, window) for name in GROUPS}
        self.skipped: list[Group] = []

    def update(self, images: Tensor, groups: Sequence[Group], factor: float) -> Terms:
        system = self.system
        kept = copy.deepcopy({name: nn.ModuleList(system.group(name)) for name in GROUPS})
        noise, prior = draw_noise(system.model, system.objective, images)
        terms = system.terms(images, noise, prior)
        system.zero_grad()
        (terms.loss * factor).mean().backward()
        for name in GROUPS:
            if name in groups:
                self.step(name)
            else:
                nn.ModuleList(system.group(name)).load_state_dict(kept[name].state_dict())
        return terms

    def step(self, name: Group) -> None:
        parameters = self.system.group_parameters(name)
        squares = [float(own.grad.square().sum()) for own in parameters if own.grad is not None]
        if self.rules[name].judge(math.sqrt(sum(squares))):
            self.skipped.append(name)
            return
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, self.clip_norm)
        self.optimizers[name].step()


@pytest.fixture
def short_window(monkeypatch: pytest.MonkeyPatch) -> int:
    """A window that short trainings fill."""
    monkeypatch.setattr(gradient_skip, "WINDOW", 4)
    return 4


@pytest.mark.parametrize("clip_norm", [None, 1.0])
@pytest.mark.parametrize(
    ("variant", "schedule", "groups"),
    [(OptimalSigmaVAE, Joint(), JOINTLY), (LaggingVAE, Lagging(ratio=2, epochs=8), IN_TURNS)],
)
def test_training_is_that_of_a_loop_by_hand_bitwise(
    clip_norm: float | None,
    variant: type[BaseVAE],
    schedule: Schedule,
    groups: Sequence[Sequence[Group]],
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
    short_window: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(terms_module, "unit_interval", double_images)
    settings = AdamSettings(skip_above=5.0, clip_norm=clip_norm)
    system = make_system(variant, make_network(), "sigma_optimal", schedule, settings).double()
    loop, data, epochs = Loop(copy.deepcopy(system).train(), settings, short_window), make_data(), 8
    updates, rise = epochs * 3 * len(groups), 5 * 3 * len(groups)
    factors = [1e4 if step % 13 == 12 else 1.0 for step in range(rise)]
    factors += [100.0] * (updates - rise)

    torch.manual_seed(1)
    following = iter(factors)
    for epoch in range(epochs):
        for batch in epoch_batches(data, epoch):
            for own in groups:
                terms = loop.update(batch.images, own, next(following))
            loop.system.model.likelihood.observe(terms.extras)

    torch.manual_seed(1)
    Scaled(system, factors)
    fit(system, make_data(), epochs=epochs)
    assert equal(shared_state(system), shared_state(loop.system))
    trained: list[Adam] = system.trainer.optimizers  # type: ignore[assignment]
    for optimizer, name in zip(trained, GROUPS, strict=True):
        by_hand = loop.optimizers[name].state.values()
        for one, other in zip(optimizer.state.values(), by_hand, strict=True):
            assert equal(one, other)
    # Both are skipped at times, and go on after the rise.
    assert loop.skipped.count("inference") > 2
    assert loop.skipped.count("generative") > 2
    for name in GROUPS:
        (taken,) = {int(own["step"]) for own in loop.optimizers[name].state.values()}
        share = sum(name in own for own in groups) / len(groups)
        assert taken + loop.skipped.count(name) == updates * share


def parameters(system: BaseVAE) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in system.named_parameters()}


def accustomed_to(system: BaseVAE, norm: float) -> None:
    """Let a norm have been the usual one."""
    system.group_steps.load_state_dict({name: torch.full((WINDOW,), norm) for name in GROUPS})


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_skipped_updates_leave_the_parameters_bitwise_and_are_counted(
    precision: str, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    system = make_system(VAE, make_network(), "elbo", optimizer=AdamSettings(skip_above=2.0))
    accustomed_to(system, 1e-9)
    before = parameters(system)
    trainer = fit(system, make_data(), precision=precision)
    assert equal(parameters(system), before)
    assert trainer.callback_metrics["train/skipped_updates"] == 6


@pytest.mark.usefixtures("compiler")
def test_compiled_updates_are_skipped(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    system = make_system(VAE, make_network(), "elbo", optimizer=AdamSettings(skip_above=2.0))
    system.compilation = True
    accustomed_to(system, 1e-9)
    before = parameters(system)
    trainer = fit(system, make_data())
    assert equal(parameters(system), before)
    assert trainer.callback_metrics["train/skipped_updates"] == 6
    assert system.compiled is not None
    assert not system.compiled.failed


def test_a_group_is_skipped_by_its_own_norms_alone(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    system = make_system(VAE, make_network(), "elbo", optimizer=AdamSettings(skip_above=2.0))
    usual = {"inference": 1e-9, "generative": 1e9}
    system.group_steps.load_state_dict({n: torch.full((WINDOW,), usual[n]) for n in GROUPS})
    before = {name: copy.deepcopy(system.group_parameters(name)) for name in GROUPS}
    trainer = fit(system, make_data())
    still = {
        name: all(map(torch.equal, before[name], system.group_parameters(name))) for name in GROUPS
    }
    assert still == {"inference": True, "generative": False}
    assert trainer.callback_metrics["train/skipped_updates"] == 3


@pytest.mark.parametrize("clip_norm", [None, 1e-3])
def test_without_a_skip_training_is_that_without_the_option(
    clip_norm: float | None, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    off = make_system(VAE, make_network(), "elbo", optimizer=AdamSettings(clip_norm=clip_norm))
    settings = AdamSettings(clip_norm=clip_norm, skip_above=2.0)
    on = VAE(copy.deepcopy(off.model), copy.deepcopy(off.objective), optimizer=settings)
    trainers = []
    for system in (off, on):
        torch.manual_seed(1)
        trainers.append(fit(system, make_data(), epochs=2))
    assert equal(shared_state(off), shared_state(on))
    assert "train/skipped_updates" not in trainers[0].callback_metrics
    assert trainers[1].callback_metrics["train/skipped_updates"] == 0
    assert off.group_steps.state_dict() == {}
    assert {name: len(own) for name, own in on.group_steps.state_dict().items()} == {
        "inference": 6,
        "generative": 6,
    }


def without_gradient(system: BaseVAE, bad: Iterator[bool]) -> None:
    """Let some updates have a loss as ever and a gradient that is not a number."""
    original, parameter = system.terms, system.group_parameters("inference")[0]

    def terms(
        images: Tensor, noise: tuple[Tensor, ...] | None = None, prior: Tensor | None = None
    ) -> Terms:
        own = original(images, noise, prior)
        broken = (parameter - parameter.detach()).abs().sqrt().sum()
        return own._replace(loss=own.loss + broken) if next(bad) else own

    system.terms = terms  # type: ignore[method-assign]


def test_a_gradient_that_is_not_finite_is_skipped(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    system = make_system(VAE, make_network(), "elbo", optimizer=AdamSettings(skip_above=2.0))
    without_gradient(system, iter([False, True, False, True, True, False]))
    trainer = fit(system, make_data(), epochs=2)
    assert trainer.callback_metrics["train/skipped_updates"] == 2
    assert all(value.isfinite().all() for value in system.state_dict().values())
    steps = [
        {int(own["step"]) for own in optimizer.state.values()} for optimizer in trainer.optimizers
    ]
    assert steps == [{3}, {6}]
    assert {name: len(own) for name, own in system.group_steps.state_dict().items()} == {
        "inference": 3,
        "generative": 6,
    }


def test_a_group_without_any_finite_gradient_ends_the_run(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    system = make_system(VAE, make_network(), "elbo", optimizer=AdamSettings(skip_above=2.0))
    without_gradient(system, iter([True, False, True, True, True, True]))
    message = r"^Epoch 2: no gradient of the inference group was finite, .*optimizer\.skip_above"
    with pytest.raises(NonFiniteError, match=message):
        fit(system, make_data(), epochs=3)
