"""The VampPrior in a model: its density, its samples, and what moves its pseudo-inputs."""

import copy
import itertools
import math
from collections.abc import Callable

import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from reslag_vae.data import ImageDataModule
from reslag_vae.latents import DiagonalGaussian, PointPosterior, VampPrior
from reslag_vae.latents import mixture as mixtures
from reslag_vae.likelihoods import Bernoulli, SquaredError, UnitGaussian
from reslag_vae.models import FlatModel
from reslag_vae.networks import Network
from reslag_vae.networks.normalization import with_running_averages
from reslag_vae.objectives import ELBO, MMD
from reslag_vae.objectives.rate import Rate
from reslag_vae.training.freezing import frozen
from reslag_vae.training.schedules import Generative, Lagging
from reslag_vae.variants import VAE, FittedPrior, LaggingVAE, MMDInfoVAE
from tests.updates import Recorder, equal, state

MakeNetwork = Callable[..., Network]
K = 6


@pytest.fixture
def model(make_network: MakeNetwork) -> FlatModel:
    """In float64, with running averages that are not those of the start."""
    model = FlatModel(make_network(), Bernoulli(), prior=VampPrior(3, (1, 8, 8), K)).double()
    with torch.no_grad():
        for _ in range(20):
            model.infer(torch.rand(9, 1, 8, 8, dtype=torch.float64))
        # Far enough apart to be told from each other.
        prior_of(model).pixels.copy_(2 * torch.rand(K, 1, 8, 8) - 0.5)
        for parameter in model.network.inference[-1].parameters():  # type: ignore[index]
            parameter.mul_(4)
    return model


def prior_of(model: FlatModel) -> VampPrior:
    assert isinstance(model.prior, VampPrior)
    return model.prior


def components(model: FlatModel) -> DiagonalGaussian:
    """The posteriors of the pseudo-inputs, by the encoder in evaluation mode."""
    evaluated = copy.deepcopy(model).eval()
    images = nn.Hardtanh(0.0, 1.0)(prior_of(model).pixels.detach())
    density = evaluated.posterior_of(images)
    assert isinstance(density, DiagonalGaussian)
    return density


def written_out(posteriors: DiagonalGaussian) -> MixtureSameFamily:
    normals = Independent(Normal(posteriors.mean, posteriors.variance.sqrt()), 1)
    return MixtureSameFamily(Categorical(torch.ones(len(posteriors.mean)).double()), normals)


@pytest.mark.parametrize("training", [True, False])
@torch.no_grad()
def test_its_density_is_the_even_mixture_of_the_posteriors(
    model: FlatModel, training: bool
) -> None:
    expected = written_out(components(model))
    latents = 2 * torch.randn(40, 3, dtype=torch.float64)
    density = model.train(training).prior()

    torch.testing.assert_close(density.log_prob(latents), expected.log_prob(latents))
    torch.testing.assert_close(density.mean, expected.mean)
    torch.testing.assert_close(density.variance, expected.variance)


@torch.no_grad()
def test_latents_in_parts_have_the_same_density(
    model: FlatModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    latents, density = torch.randn(10, 3, dtype=torch.float64), model.prior()
    whole = density.log_prob(latents)
    monkeypatch.setattr(mixtures, "NUMBERS", 3 * 3 * K)
    assert torch.equal(density.log_prob(latents), whole)


@torch.no_grad()
def test_a_sample_picks_a_component_at_random(model: FlatModel) -> None:
    count, posteriors = 6_000, components(model)
    noise = torch.randn(count, 4, dtype=torch.float64)
    # Without spread a sample is the mean of its component.
    samples = model.prior.from_noise(noise, temperature=0.0)
    distances = torch.cdist(samples, posteriors.mean)
    picked = distances.argmin(1)
    warm = model.prior.from_noise(noise)

    torch.testing.assert_close(samples, posteriors.mean[picked])
    counts = torch.bincount(picked, minlength=K)
    assert ((counts - count / K).abs() < 5 * math.sqrt(count / K)).all()
    assert (picked[:K] != torch.arange(K)).any()
    spread = posteriors.variance.sqrt()[picked]
    torch.testing.assert_close(warm, samples + spread * noise[:, 1:])


def test_the_encoder_has_one_owner_and_a_copy_is_of_its_own(model: FlatModel) -> None:
    assert [name for name, _ in model.prior.named_parameters()] == ["pixels"]
    assert list(model.prior.state_dict()) == ["pixels"]

    copied = copy.deepcopy(model)
    latents = torch.randn(5, 3, dtype=torch.float64)
    before = model.prior().log_prob(latents)
    with torch.no_grad():
        for parameter in copied.network.inference.parameters():
            parameter.mul_(2)
    assert torch.equal(model.prior().log_prob(latents), before)
    assert not torch.equal(copied.prior().log_prob(latents), before)


def gradients_of_prior(model: FlatModel) -> dict[str, Tensor | None]:
    """Gradients of the prior's log-density alone, of its own and of the encoder's parameters."""
    model.zero_grad()
    latents = torch.linspace(-2, 2, 15, dtype=torch.float64).view(5, 3)
    model.prior().log_prob(latents).sum().backward()
    named = [*model.prior.named_parameters(), *model.network.inference.named_parameters()]
    return {name: parameter.grad for name, parameter in named}


def test_what_reaches_whom_through_the_prior(model: FlatModel) -> None:
    both = gradients_of_prior(model)
    assert all(grad is not None and grad.norm() > 0 for grad in both.values())

    with frozen(model.network.inference, model.posterior):
        generative = gradients_of_prior(model)
    assert generative["pixels"] is not None
    torch.testing.assert_close(generative.pop("pixels"), both["pixels"])
    assert set(generative.values()) == {None}

    with frozen(model.network.generative, model.prior):
        inference = gradients_of_prior(model)
    assert inference.pop("pixels") is None
    assert all(grad is not None and grad.norm() > 0 for grad in inference.values())


def test_only_generative_updates_move_pseudo_inputs(
    make_network: MakeNetwork,
    make_data: Callable[..., ImageDataModule],
    fit: Callable[..., Trainer],
) -> None:
    model = FlatModel(make_network(), UnitGaussian(), prior=VampPrior(3, (1, 8, 8), K))
    system = LaggingVAE(model, ELBO(), Lagging(ratio=2, epochs=1))
    recorder = Recorder(system)
    pixels: list[Tensor] = []
    original = recorder.original

    def kept(*arguments: object) -> object:
        result = original(*arguments)  # type: ignore[arg-type]
        pixels.append(prior_of(model).pixels.detach().clone())
        return result

    recorder.original = kept  # type: ignore[assignment]
    pixels.append(prior_of(model).pixels.detach().clone())
    fit(system, make_data(), epochs=2)

    moved = [not torch.equal(*pair) for pair in itertools.pairwise(pixels)]
    assert moved == ["generative" in update.groups for _, update in recorder.updates]
    assert recorder.changed == [set(update.groups) for _, update in recorder.updates]
    assert {True, False} == set(moved)


def test_every_evaluation_is_by_the_pseudo_inputs_of_its_time(
    make_network: MakeNetwork,
    make_data: Callable[..., ImageDataModule],
    fit: Callable[..., Trainer],
) -> None:
    """Also where nothing else of the prior moves, as in a second stage."""
    model = FlatModel(make_network(), UnitGaussian(), prior=VampPrior(3, (1, 8, 8), K))
    system = FittedPrior(model, Rate(), Generative())
    losses: list[float] = []

    class Losses(Callback):
        def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            losses.append(float(trainer.callback_metrics["val/loss"]))

    fit(system, make_data(), epochs=2, callbacks=[Losses()])
    assert len(losses) == len(set(losses)) >= 2


def test_pseudo_inputs_leave_running_averages_alone(model: FlatModel) -> None:
    before = state([model.network])
    model.train()
    model.prior().log_prob(torch.randn(5, 3, dtype=torch.float64)).sum().backward()
    assert equal(state([model.network]), before)
    assert all(module.training for module in model.modules())


def test_running_averages_may_change_before_the_backward_pass() -> None:
    module, images = nn.Sequential(nn.BatchNorm2d(2)), torch.rand(4, 2, 3, 3)
    expected = copy.deepcopy(module).eval()(images)
    result = with_running_averages(module, images)
    module(images)
    result.sum().backward()

    assert torch.equal(result, expected)
    assert module[0].weight.grad.norm() > 0
    assert module[0].training


def test_an_mmd_to_samples_of_it_trains_it(make_network: MakeNetwork) -> None:
    model = FlatModel(make_network(), SquaredError(), prior=VampPrior(3, (1, 8, 8), K))
    system = MMDInfoVAE(model, MMD(alpha=0.5))
    (samples,) = model.sample_latents(6)
    # The images' pass changes the running averages that the samples came by.
    system.terms(torch.rand(6, 1, 8, 8), prior=samples).loss.mean().backward()
    assert prior_of(model).pixels.grad is not None


@torch.no_grad()
def test_in_evaluation_it_is_computed_once_for_each_state(model: FlatModel) -> None:
    prior = prior_of(model.eval())
    first = prior.mixture()
    assert prior.mixture() is first
    model.infer(torch.rand(4, 1, 8, 8, dtype=torch.float64))
    assert prior.mixture() is first

    for tensor in (prior.pixels, model.network.inference[-1].bias, norm_of(model).running_mean):  # type: ignore[index]
        latest = prior.mixture()
        assert isinstance(tensor, Tensor)
        tensor.mul_(0.5)
        assert not torch.equal(prior.mixture().means, latest.means)
    with torch.enable_grad():
        assert prior.mixture().means.requires_grad


def norm_of(model: FlatModel) -> nn.BatchNorm2d:
    return next(own for own in model.network.inference.modules() if isinstance(own, nn.BatchNorm2d))


@torch.no_grad()
def test_autocast_has_a_value_of_its_own(make_network: MakeNetwork) -> None:
    model = FlatModel(make_network(), Bernoulli(), prior=VampPrior(3, (1, 8, 8), K)).eval()
    exact = prior_of(model).mixture().means
    with torch.autocast("cpu", torch.bfloat16):
        rounded = prior_of(model).mixture().means
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    assert torch.equal(prior_of(model).mixture().means, exact)


def test_it_starts_with_greys_that_all_have_a_gradient(make_network: MakeNetwork) -> None:
    prior = VampPrior(3, (1, 8, 8))
    FlatModel(make_network(), Bernoulli(), prior=prior)
    pixels = prior.pixels.detach()
    assert len(pixels) == 500
    assert pixels.min() > 0
    assert pixels.max() < 1
    assert float(pixels.mean()) == pytest.approx(0.5, abs=0.01)

    prior().log_prob(torch.randn(5, 3)).sum().backward()
    assert prior.pixels.grad is not None
    assert prior.pixels.grad.flatten(1).norm(dim=1).min() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"pseudo_inputs": 0},
            r"^prior\.pseudo_inputs=0: must be a whole number from 1 to 10000\.$",
        ),
        ({"image_shape": (8, 8)}, r"^prior\.image_shape=\(8, 8\): must be a list of 3 values"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VampPrior(**({"latent_dim": 3, "image_shape": (1, 8, 8)} | options))  # type: ignore[arg-type]


def test_pseudo_inputs_are_as_large_as_images(make_network: MakeNetwork) -> None:
    prior = VampPrior(3, (1, 8, 9), K)
    message = r"^prior\.image_shape=\[1, 8, 9\]: must be that of the network, \[1, 8, 8\]\.$"
    with pytest.raises(ValueError, match=message):
        FlatModel(make_network(), Bernoulli(), prior=prior)


def test_a_point_is_refused(make_network: MakeNetwork) -> None:
    network = make_network(parameters_per_latent=1)
    model = FlatModel(network, UnitGaussian(), PointPosterior(), VampPrior(3, (1, 8, 8), K))
    with pytest.raises(ValueError, match=r"^prior=vamp does not take posterior=point; it takes "):
        VAE(model, ELBO())
