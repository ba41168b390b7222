"""The codebook of vector quantisation, against loops written by hand."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from reslag_vae.data import ImageDataModule
from reslag_vae.latents import Coded, LatentStatistics, Level, UniformCodes, VectorQuantised
from reslag_vae.latents.inferred import Inferred
from reslag_vae.latents.vq import DEAD, SMOOTHING
from reslag_vae.likelihoods import UnitGaussian
from reslag_vae.models import FlatModel
from reslag_vae.networks import GridNetwork
from reslag_vae.objectives import ELBO
from reslag_vae.training.schedules import Lagging
from reslag_vae.training.starting import centres_of, images_to_start_from, start_from_data
from reslag_vae.variants import LaggingVAE
from tests.updates import Recorder

CODES, SIZE, POSITIONS = 6, 2, 9


def quantiser(follows: str = "ema", decay: float = 0.9) -> VectorQuantised:
    torch.manual_seed(0)
    return VectorQuantised(SIZE, CODES, 0.25, follows, decay).double()


def numbers(seed: int, count: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, SIZE * POSITIONS, dtype=torch.float64, generator=generator)


def coded(own: VectorQuantised, features: Tensor) -> Coded:
    density = own(features)
    assert isinstance(density, Coded)
    return density


def test_a_posterior_in_evaluation_mode_stays_as_it_is() -> None:
    own = quantiser()
    network = GridNetwork((1, 8, 8), SIZE, [4], [1])
    model = FlatModel(network, UnitGaussian(), own.float(), UniformCodes())
    model.infer(torch.rand(2, 1, 8, 8))
    model.posterior.eval()
    before = own.codebook.clone()
    for _ in range(3):
        model.end_update(["inference"])
    assert torch.equal(own.codebook, before)
    model.posterior.train()
    model.end_update(["inference"])
    assert not torch.equal(own.codebook, before)


def test_the_nearest_code_is_chosen() -> None:
    own, features = quantiser(), numbers(1)
    rows = own.at_positions(features)
    nearest = torch.cdist(rows, own.codebook.expand(len(rows), -1, -1)).argmin(-1)
    assert torch.equal(coded(own, features).indices, nearest)


def test_the_nearest_code_is_chosen_far_from_zero_in_single_precision_too() -> None:
    own = VectorQuantised(16, codes=64)
    own.codebook.copy_(100 + 0.01 * own.codebook)
    rows = own.codebook + 0.001 * torch.randn_like(own.codebook)
    nearest = torch.cdist(rows.double(), own.codebook.double()).argmin(-1)
    assert torch.equal(own.indices_of(rows), nearest)


def test_the_gradient_goes_straight_through() -> None:
    features = numbers(1).requires_grad_()
    weights = numbers(2)
    (coded(quantiser(), features).mean * weights).sum().backward()
    assert torch.equal(features.grad, weights)  # type: ignore[arg-type]


def test_the_commitment_moves_the_encoder_alone() -> None:
    own, features = quantiser("loss"), numbers(1).requires_grad_()
    density = coded(own, features)
    penalties = own.penalties(density)
    squares = (features - density.mean.detach()).square().sum(1)
    torch.testing.assert_close(penalties["commitment"], 0.25 * squares)
    torch.testing.assert_close(penalties["codebook"], squares)

    penalties["commitment"].sum().backward()
    torch.testing.assert_close(features.grad, 0.5 * (features - density.mean).detach())
    assert own.codebook.grad is None


def test_the_codebook_s_loss_moves_the_codes_alone() -> None:
    own, features = quantiser("loss"), numbers(1).requires_grad_()
    density = coded(own, features)
    own.penalties(density)["codebook"].sum().backward()
    expected = torch.zeros_like(own.codebook)
    rows = own.at_positions(features).flatten(0, 1)
    for row, code in zip(rows, density.indices.flatten(), strict=True):
        expected[code] += 2 * (own.codebook[code] - row).detach()
    assert features.grad is None
    torch.testing.assert_close(own.codebook.grad, expected)


def test_moving_averages_are_those_of_a_loop() -> None:
    own = quantiser()
    used, totals = own.used.clone(), own.totals.clone()
    book = own.codebook.clone()
    for step in range(20):
        features = numbers(step)
        density = coded(own, features)
        assert "codebook" not in own.penalties(density), "never both"
        own.end_update()
        rows = own.at_positions(features).flatten(0, 1)
        for code in range(CODES):
            chosen = rows[density.indices.flatten() == code]
            used[code] = 0.9 * used[code] + 0.1 * len(chosen)
            totals[code] = 0.9 * totals[code] + 0.1 * chosen.sum(0)
        total = used.sum()
        for code in range(CODES):
            smoothed = (used[code] + SMOOTHING) / (total + CODES * SMOOTHING) * total
            book[code] = totals[code] / smoothed
        assert (used > DEAD * total / CODES).all(), "none starts anew"
        torch.testing.assert_close(own.codebook, book)


def test_evaluation_leaves_it_alone() -> None:
    own = quantiser().eval()
    before = {name: value.clone() for name, value in own.state_dict().items()}
    coded(own, numbers(1))
    assert all(torch.equal(value, before[name]) for name, value in own.state_dict().items())


@pytest.mark.parametrize("follows", ["ema", "loss"])
def test_a_dead_code_starts_anew_from_an_output(follows: str) -> None:
    own = quantiser(follows)
    with torch.no_grad():
        own.codebook[2] = 1000.0
    for step in range(60):
        coded(own, numbers(step))
        own.end_update()
    assert own.codebook[2].abs().max() < 10
    assert own.used[2] > 0
    rows = own.at_positions(numbers(0, 500))
    assert (own.indices_of(rows) == 2).any()


def test_it_starts_with_the_means_of_clusters() -> None:
    own = quantiser()
    centres = 10 * torch.randn(CODES, SIZE, dtype=torch.float64)
    vectors = centres[torch.randint(CODES, (1000,))]
    found = centres_of(vectors + 0.01 * torch.randn_like(vectors), own.clusters)
    own.start(found)
    assert torch.cdist(own.codebook, centres).min(1).values.max() < 0.05
    assert torch.cdist(own.codebook, centres).min(0).values.max() < 0.05
    with pytest.raises(
        ValueError,
        match=r"posterior\.codes=6: a code starts from a position of a training image, and 4 are "
        r"taken, of at most 1,024 images; give fewer codes\.$",
    ):
        centres_of(torch.randn(4, SIZE), own.clusters)


class Stream(IterableDataset[Any]):
    """Images without a number of them."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __iter__(self) -> Iterator[list[Tensor]]:
        return ([own] for own in self.images)


@pytest.mark.parametrize("kind", [TensorDataset, Stream])
def test_without_a_data_module_it_starts_with_the_loader_s_first_images(
    kind: Callable[[Tensor], Any],
) -> None:
    posterior, network = quantiser().float(), GridNetwork((1, 8, 8), SIZE, [4], [1])
    model = FlatModel(network, UnitGaussian(), posterior, UniformCodes())
    untrained = posterior.codebook.clone()
    images = torch.rand(3000, 1, 8, 8)
    trainer = SimpleNamespace(train_dataloader=DataLoader(kind(images), batch_size=500))
    system: Any = SimpleNamespace(model=model, trainer=trainer, device=torch.device("cpu"))

    assert torch.equal(images_to_start_from(system), images[:1024])
    start_from_data(system)
    assert not torch.equal(posterior.codebook, untrained)


@pytest.mark.parametrize(
    ("option", "value"), [("codes", 1), ("commitment", -1), ("follows", "both"), ("decay", 1.0)]
)
def test_bad_options_are_named(option: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"posterior.{option}="):
        VectorQuantised(**{"code_dim": 2, "codes": 4, option: value})  # type: ignore[arg-type]


def test_the_verdict_speaks_of_codes() -> None:
    own = quantiser().eval()
    prior = UniformCodes()
    prior.bind(Level(own, SIZE * POSITIONS))
    statistics = LatentStatistics()
    uses = torch.zeros(CODES)
    for seed in range(3):
        density = coded(own, numbers(seed))
        kl = prior.kl(density)
        assert kl is not None
        inferred = Inferred((density,), (prior(),), (density.mean,), (kl,), {})
        statistics.add(inferred, kl.sum(1))
        uses += torch.bincount(density.indices.flatten(), minlength=CODES)
    shares = uses / uses.sum()
    perplexity = float(torch.distributions.Categorical(shares).entropy().exp())
    metrics = statistics.metrics()
    assert metrics["codes_used"] == float((uses > 0).sum())
    assert metrics["perplexity"] == pytest.approx(perplexity, rel=1e-5)
    assert f"perplexity {perplexity:.1f}" in statistics.verdict()


@pytest.mark.parametrize("follows", ["ema", "loss"])
def test_the_codebook_is_the_encoder_s(
    follows: str,
    make_data: Callable[..., ImageDataModule],
    fit: Callable[..., Trainer],
) -> None:
    """An update of the encoder alone moves it, one of the decoder alone leaves it bitwise."""
    network = GridNetwork((1, 8, 8), SIZE, [4], [1])
    posterior = VectorQuantised(SIZE, CODES, follows=follows)
    model = FlatModel(network, UnitGaussian(), posterior, UniformCodes())
    recorder = Recorder(LaggingVAE(model, ELBO(), Lagging(ratio=2, epochs=1)))
    books: list[Tensor] = []
    original = recorder.original

    def kept(*arguments: object) -> object:
        books.append(posterior.codebook.detach().clone())
        result = original(*arguments)  # type: ignore[arg-type]
        books.append(posterior.codebook.detach().clone())
        return result

    recorder.original = kept  # type: ignore[assignment]
    untrained = posterior.codebook.detach().clone()
    fit(recorder.system, make_data(), epochs=2)

    assert not torch.equal(books[0], untrained), "it starts from the data"
    moved = [not torch.equal(*pair) for pair in zip(books[::2], books[1::2], strict=True)]
    assert moved == ["inference" in update.groups for _, update in recorder.updates]
    assert recorder.changed == [set(update.groups) for _, update in recorder.updates]
    assert {True, False} == set(moved)
