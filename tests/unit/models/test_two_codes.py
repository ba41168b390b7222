"""A model of two levels of codes, of which the bottom is inferred and generated given the top."""

import copy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning import Trainer
from omegaconf import DictConfig
from torch import Tensor

from reslag_vae.data import ImageDataModule
from reslag_vae.data.images import Batch
from reslag_vae.evaluation import encode, importance_weighted_bound
from reslag_vae.latents import (
    Coded,
    CodePosterior,
    FiniteScalarQuantised,
    GaussianPosterior,
    LatentStatistics,
    Level,
    PosteriorDensity,
    StandardNormal,
    UniformCodes,
    VectorQuantised,
)
from reslag_vae.latents.codes import used_of
from reslag_vae.likelihoods import Gaussian, OptimalVariance, UnitGaussian
from reslag_vae.models import FlatModel, TwoCodesModel
from reslag_vae.models.card import objective_card
from reslag_vae.networks import GridNetwork, TwoGridNetwork
from reslag_vae.objectives import ELBO
from reslag_vae.training.build import build_system
from reslag_vae.training.schedules import Update
from reslag_vae.training.starting import centres_of, start_from_data
from reslag_vae.training.system import BaseVAE
from reslag_vae.variants import VQVAE2
from tests.updates import equal, state

SHAPE = (1, 8, 8)
SIZE, TOP, BOTTOM = 3, 5, 7  # of a code's vector, and of the codebooks
# With stages to 4 x 4 and to 2 x 2
DIMS = (SIZE * 4, SIZE * 16)


def vq(codes: int, follows: str = "ema") -> VectorQuantised:
    return VectorQuantised(SIZE, codes, follows=follows)


KINDS: dict[str, Callable[[], tuple[CodePosterior, CodePosterior]]] = {
    "ema": lambda: (vq(TOP), vq(BOTTOM)),
    "loss": lambda: (vq(TOP, "loss"), vq(BOTTOM, "loss")),
    "fsq": lambda: (
        FiniteScalarQuantised(SIZE, [5, 5, 5]),
        FiniteScalarQuantised(SIZE, [3, 4, 5]),
    ),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
every_codebook = pytest.mark.parametrize("follows", ["ema", "loss"])


class Noted(UniformCodes):
    """Codes that are all alike; it notes what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.level: Level | None = None
        self.contexts: list[Tensor | None] = []

    def bind(self, level: Level) -> None:
        self.level = level
        super().bind(level)

    def forward(self, context: Tensor | None = None) -> Any:
        self.contexts.append(context)
        return super().forward(context)

    def kl(self, posterior: PosteriorDensity, context: Tensor | None = None) -> Tensor | None:
        self.contexts.append(context)
        return super().kl(posterior, context)

    def from_noise(
        self, noise: Tensor, temperature: float = 1.0, context: Tensor | None = None
    ) -> Tensor:
        self.contexts.append(context)
        return super().from_noise(noise, temperature, context)


def make_model(kind: str = "ema", priors: type[UniformCodes] = UniformCodes) -> TwoCodesModel:
    torch.manual_seed(0)
    network = TwoGridNetwork(SHAPE, SIZE, [6, 8], [1, 1])
    return TwoCodesModel(network, UnitGaussian(), *KINDS[kind](), priors(), priors())


def draw_images(count: int = 5) -> Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(1))


def densities(model: TwoCodesModel, images: Tensor) -> list[Coded]:
    found = model.posteriors_of(images)
    return [own for own in found if isinstance(own, Coded)]


@pytest.mark.parametrize("kind", ["ema", "fsq"])
@pytest.mark.parametrize(
    ("shape", "grids"),
    [
        ((1, 28, 28), ((4, 4), (7, 7))),
        ((3, 32, 32), ((4, 4), (8, 8))),
        ((3, 64, 64), ((8, 8), (16, 16))),
        ((1, 13, 9), ((2, 2), (4, 3))),
    ],
)
@torch.no_grad()
def test_images_of_all_sizes_and_colours_have_two_grids(
    shape: tuple[int, int, int], grids: tuple[tuple[int, int], ...], kind: str
) -> None:
    network = TwoGridNetwork(shape, SIZE, [4, 6, 6], [1, 1, 1])
    priors = (UniformCodes(), UniformCodes())
    model = TwoCodesModel(network, Gaussian(OptimalVariance(shape)), *KINDS[kind](), *priors)
    images = torch.rand(3, *shape)
    inferred = model.eval().infer(images)

    assert network.grids == grids
    assert model.level_dims == tuple(SIZE * height * width for height, width in grids)
    assert model.noise_dims == tuple(height * width for height, width in grids)
    assert [own.shape for own in inferred.latents] == [(3, width) for width in model.level_dims]
    assert model.reconstruct(images).shape == images.shape
    assert model.sample(2).shape == (2, *shape)


@every_codebook
def test_gradients_go_straight_through_at_both_levels(follows: str) -> None:
    model = make_model(follows).double()
    for density in densities(model, draw_images().double()):
        weights = torch.randn_like(density.mean)
        (gradient,) = torch.autograd.grad(
            (density.mean * weights).sum(), density.encoded, retain_graph=True
        )
        assert torch.equal(gradient, weights)


@every_kind
def test_an_image_s_cost_reaches_both_levels_outputs_and_the_bottom_s_the_top_s(kind: str) -> None:
    model = make_model(kind)
    top, bottom = densities(model, draw_images())
    parameters = model.parameters_of((top.mean, bottom.mean))
    found = torch.autograd.grad(
        parameters.square().sum(), (top.encoded, bottom.encoded), retain_graph=True
    )
    assert all((own != 0).any() for own in found)
    (through,) = torch.autograd.grad(bottom.mean.square().sum(), top.encoded)
    assert (through != 0).any()


@torch.no_grad()
def test_the_bottom_is_encoded_given_the_codes_of_the_top_and_not_the_reverse() -> None:
    model, images = make_model().eval(), draw_images()
    top, bottom = densities(model, images)

    model.bottom_posterior.start(torch.randn(BOTTOM, SIZE))
    after_top, after_bottom = densities(model, images)
    assert torch.equal(after_top.mean, top.mean)
    assert torch.equal(after_bottom.encoded, bottom.encoded)
    assert not torch.equal(after_bottom.mean, bottom.mean)

    model.posterior.start(torch.randn(TOP, SIZE))
    after_top, after_bottom = densities(model, images)
    assert torch.equal(after_top.encoded, top.encoded)
    assert not torch.equal(after_top.mean, top.mean)
    assert not torch.equal(after_bottom.encoded, bottom.encoded)


@torch.no_grad()
def test_the_decoder_is_given_both_levels() -> None:
    model = make_model().eval()
    top, bottom = model.sample_latents(4)
    usual = model.parameters_of((top, bottom))
    assert not torch.equal(model.parameters_of((top.roll(1, 0), bottom)), usual)
    assert not torch.equal(model.parameters_of((top, bottom.roll(1, 0))), usual)


def test_the_prior_of_the_bottom_is_given_the_latents_of_the_top_without_their_gradient() -> None:
    model = make_model(priors=Noted)
    above, below = model.prior, model.bottom_prior
    assert isinstance(above, Noted)
    assert isinstance(below, Noted)
    assert above.level == Level(model.posterior, DIMS[0], grid=(2, 2))
    expected = Level(model.bottom_posterior, DIMS[1], grid=(4, 4), above=(SIZE, 2, 2))
    assert below.level == expected

    inferred = model.infer(draw_images(), tuple(torch.zeros(10, width) for width in DIMS))
    samples = model.from_noise(tuple(torch.randn(10, width) for width in model.noise_dims))
    contexts = [own for own in below.contexts if own is not None]
    assert above.contexts == [None, None, None]
    assert len(contexts) == len(below.contexts) == 3
    assert all(torch.equal(own, inferred.latents[0]) for own in contexts[:2])
    assert torch.equal(contexts[2], samples[0])
    assert not any(own.requires_grad for own in contexts)


@every_kind
@torch.no_grad()
def test_samples_are_codes_and_any_numbers_are_decoded_by_the_nearest(kind: str) -> None:
    model = make_model(kind).eval()
    latents = model.sample_latents(6)
    code = torch.cat(latents, dim=1)
    assert torch.equal(model.nearest(code), code)
    assert all(len(own.unique(dim=0)) == 6 for own in latents)
    torch.testing.assert_close(model.nearest(code + 1e-4), code)
    assert torch.equal(model.decode(code + 1e-4), model.decode(code))


@every_kind
@torch.no_grad()
def test_all_codes_alike_cost_as_much_as_there_are(kind: str) -> None:
    model, images = make_model(kind).eval(), draw_images()
    top, bottom = model.posterior, model.bottom_posterior
    nats = torch.tensor(
        [4.0 * torch.tensor(top.codes).log(), 16.0 * torch.tensor(bottom.codes).log()]
    )
    inferred = model.infer(images)
    rate = inferred.rate()

    assert rate is not None
    torch.testing.assert_close(rate, nats.sum().expand(5))
    torch.testing.assert_close(inferred.log_ratio(), -rate)
    bounds = importance_weighted_bound(model, images, samples=3)
    torch.testing.assert_close(bounds.importance_weighted, bounds.elbo)


def test_each_level_has_its_own_lines_on_the_card_and_its_own_costs() -> None:
    model = make_model("loss")
    card = objective_card("vq_vae_2", model, ELBO())
    assert card["levels"].startswith("codes at 2 x 2 positions, top, and at 4 x 4, bottom")
    assert card["q(z|x)"].startswith(f"top: one of {TOP} codes")
    assert f"bottom: one of {BOTTOM} codes" in card["q(z|x)"]
    assert card["p(z)"] == "all codes alike"
    assert card["KL"].startswith("top: 6.44 nats")

    inferred = model.infer(draw_images())
    names = ["commitment_top", "codebook_top", "commitment_bottom", "codebook_bottom"]
    assert list(inferred.penalties) == names
    expected = [0.25, 1, 0.25, 1]
    for name, factor in zip(names, expected, strict=True):
        level = inferred.posteriors[name.endswith("bottom")]
        assert isinstance(level, Coded)
        squares = factor * (level.encoded - level.mean).square().sum(1)
        torch.testing.assert_close(inferred.penalties[name], squares)


def stepping(model: TwoCodesModel) -> BaseVAE:
    """A system whose updates can be made one by one, without a Trainer."""
    system = VQVAE2(model, ELBO())
    optimizers, _ = system.configure_optimizers()
    system.optimizers = lambda: optimizers  # type: ignore[method-assign, assignment, return-value]
    system.manual_backward = lambda loss: loss.backward()  # type: ignore[method-assign]
    system.prepare_updates()
    return system


def books(model: TwoCodesModel) -> list[Tensor]:
    found = [posterior.codebook for posterior in (model.posterior, model.bottom_posterior)]
    return [book.detach().clone() for book in found if isinstance(book, Tensor)]


@every_codebook
def test_both_codebooks_are_the_encoder_s(follows: str) -> None:
    """An update of the encoder alone moves both, one of the decoder alone leaves them bitwise."""
    model = make_model(follows)
    system = stepping(model)
    batch = Batch(draw_images(), torch.full((5,), -1))
    start, before = books(model), state(system.group("generative"))
    system.update(batch, Update(("inference",)))
    assert equal(before, state(system.group("generative")))
    moved = books(model)
    assert not any(torch.equal(*pair) for pair in zip(start, moved, strict=True))

    before = state(system.group("inference"))
    decoder = state(system.group("generative"))
    system.update(batch, Update(("generative",)))
    assert equal(before, state(system.group("inference")))
    assert not equal(decoder, state(system.group("generative")))
    assert all(torch.equal(*pair) for pair in zip(moved, books(model), strict=True))


def started(model: TwoCodesModel, data: ImageDataModule) -> None:
    trainer = SimpleNamespace(datamodule=data)
    system: Any = SimpleNamespace(model=model, trainer=trainer, device=torch.device("cpu"))
    start_from_data(system)


@torch.no_grad()
def test_both_codebooks_start_with_clusters_the_bottom_s_by_the_started_top(
    make_data: Callable[..., ImageDataModule],
) -> None:
    data, model = make_data(), make_model()
    by_hand = copy.deepcopy(model)
    images = data.split("train").images / 255
    encoder = by_hand.network.inference
    features = encoder.features(images)
    top = encoder.top(features)
    rows = by_hand.posterior.at_positions(top).flatten(0, 1)
    by_hand.posterior.start(centres_of(rows, TOP))
    below = encoder.bottom(features, by_hand.posterior.nearest(top))
    rows = by_hand.bottom_posterior.at_positions(below).flatten(0, 1)
    by_hand.bottom_posterior.start(centres_of(rows, BOTTOM))

    started(model, data)
    for own, expected in zip(books(model), books(by_hand), strict=True):
        torch.testing.assert_close(own, expected)


def test_rounded_codes_above_a_codebook_start_it_alone(
    make_data: Callable[..., ImageDataModule],
) -> None:
    network = TwoGridNetwork(SHAPE, SIZE, [6, 8], [1, 1])
    posteriors = (FiniteScalarQuantised(SIZE, [5, 5, 5]), vq(BOTTOM))
    model = TwoCodesModel(network, UnitGaussian(), *posteriors, UniformCodes(), UniformCodes())
    before = posteriors[1].codebook.clone()
    started(model, make_data())
    assert not torch.equal(posteriors[1].codebook, before)


@every_kind
@torch.no_grad()
def test_codes_in_use_are_counted_and_judged_level_by_level(kind: str) -> None:
    model, images = make_model(kind).eval(), draw_images(20)
    statistics, expected = LatentStatistics(), []
    for part in (images[:7], images[7:]):
        inferred = model.infer(part)
        rate = inferred.rate()
        assert rate is not None
        statistics.add(inferred, rate)
    levels = (model.posterior, model.bottom_posterior)
    for posterior, density in zip(levels, densities(model, images), strict=True):
        usage = torch.bincount(density.indices.flatten(), minlength=posterior.codes)
        expected.append(usage)
    metrics = statistics.metrics()
    sentences = []
    for level, usage in zip(("top", "bottom"), expected, strict=True):
        used, perplexity = used_of(usage)
        assert metrics[f"codes_used_{level}"] == used
        assert metrics[f"perplexity_{level}"] == pytest.approx(perplexity)
        sentences.append(f"{used} of {len(usage)} codes used, perplexity {perplexity:.1f}")
    assert "codes_used" not in metrics
    above, below = statistics.verdict().split("; ")
    assert above.startswith("top: ")
    assert sentences[0] in above
    assert below.startswith("bottom: ")
    assert sentences[1] in below
    counted = encode(model, images).usage
    assert [own.tolist() for own in counted] == [own.tolist() for own in expected]


def test_uses_of_all_processes_are_taken_together(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model().eval()
    both = [LatentStatistics(), LatentStatistics()]
    for statistics, count in zip(both, (3, 5), strict=True):
        with torch.no_grad():
            inferred = model.infer(draw_images(count))
        rate = inferred.rate()
        assert rate is not None
        statistics.add(inferred, rate)
    given: list[Any] = []
    room = "reslag_vae._runtime.collectives"
    monkeypatch.setattr(f"{room}.count", lambda: 2)
    monkeypatch.setattr(f"{room}.objects", lambda own: given.append(own) or given)
    both[0].gathered()
    whole = both[1].gathered()

    assert whole.count == 8
    assert [int(own.sum()) for own in whole.usage] == [8 * 4, 8 * 16]
    for own, first, second in zip(whole.usage, both[0].usage, both[1].usage, strict=True):
        assert torch.equal(own, first + second)


def test_it_trains_from_its_start_and_lowers_its_loss(
    make_data: Callable[..., ImageDataModule], fit: Callable[..., Trainer]
) -> None:
    data, system = make_data(), VQVAE2(make_model(), ELBO())
    losses = []
    for epochs in (1, 20):
        trainer = fit(system, data, epochs=epochs)
        losses.append(float(trainer.callback_metrics["train/rec"]))
    assert losses[1] < losses[0]


def parts(**others: Any) -> dict[str, Any]:
    usual = {
        "network": TwoGridNetwork(SHAPE, SIZE, [6, 8], [1, 1]),
        "likelihood": UnitGaussian(),
        "posterior": vq(TOP),
        "bottom_posterior": vq(BOTTOM),
        "prior": UniformCodes(),
        "bottom_prior": UniformCodes(),
    }
    return usual | others


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (
            {"network": GridNetwork(SHAPE, SIZE, [6, 8], [1, 1])},
            r"^network=grid: is a network of 1 level\(s\) .* the model has 2; .*two_grids",
        ),
        ({"posterior": GaussianPosterior()}, "^posterior=diagonal_gaussian: both levels .*=vq or"),
        ({"bottom_posterior": GaussianPosterior()}, "^posterior=diagonal_gaussian: both levels"),
        ({"bottom_posterior": VectorQuantised(2, 4)}, r"^posterior\.code_dim=2: must be .*, 3\.$"),
        ({"prior": StandardNormal(DIMS[0])}, "^prior=standard_normal: both levels"),
        ({"bottom_prior": StandardNormal(DIMS[1])}, "^prior=standard_normal: both levels"),
    ],
)
def test_parts_that_do_not_fit_are_refused_by_name(others: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TwoCodesModel(**parts(**others))


@pytest.mark.parametrize("own", [vq(TOP), UniformCodes()])
def test_levels_that_share_a_part_are_refused(own: VectorQuantised | UniformCodes) -> None:
    name = "prior" if isinstance(own, UniformCodes) else "posterior"
    with pytest.raises(ValueError, match=f"^bottom_{name}: is that of the top; "):
        TwoCodesModel(**parts(**{name: own, f"bottom_{name}": own}))


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (("model=vq_vae_2", "network=grid"), "^network=grid: is a network of 1 level"),
        (("model=vq_vae_2", "network=plain"), "^network=plain: is a network of 1 level"),
        (("model=vq_vae", "network=two_grids"), "^network=two_grids: is a network of 2 level"),
        (("model=vq_vae_2", "posterior=diagonal_gaussian"), "^posterior=diagonal_gaussian: both"),
        (("model=vq_vae_2", "posterior=fsq"), r"^posterior\.levels=.*network\.code_dim=16"),
        (("model=vq_vae_2", "prior=vamp", "prior.latent_dim=1"), "^prior=vamp: both levels"),
        (
            ("model=vq_vae_2", "network.channels=[8]", "network.blocks=[1]"),
            r"^network\.channels=\[8\]: at least 2 stages",
        ),
    ],
)
def test_choices_that_do_not_fit_are_refused_by_name(
    choices: tuple[str, ...], message: str, compose: Callable[..., DictConfig]
) -> None:
    with pytest.raises(ValueError, match=message):
        build_system(compose(*choices, "data=digits", "logger=none"))


def test_a_flat_model_is_none_of_the_variant() -> None:
    network = GridNetwork(SHAPE, SIZE, [6, 8], [1, 1])
    flat = FlatModel(network, UnitGaussian(), vq(TOP), UniformCodes())
    with pytest.raises(ValueError, match="model=vq_vae_2 does not take"):
        VQVAE2(flat, ELBO())


@every_kind
def test_codes_survive_weights_bitwise(kind: str, tmp_path: Path) -> None:
    model, images = make_model(kind).eval(), draw_images()
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    other = make_model(kind).eval()
    for value in other.state_dict().values():
        value.zero_()
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(other.encode(images), model.encode(images))
