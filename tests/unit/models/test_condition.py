"""What a conditional model is told, how it is read, and what the model makes of it."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from reslag_vae.data.images import Images
from reslag_vae.evaluation import encode, importance_weighted_bound
from reslag_vae.evaluation.codes import decode
from reslag_vae.evaluation.iteration import told_of_split
from reslag_vae.evaluation.metrics.quality import reconstruction_quality
from reslag_vae.latents.inferred import joined
from reslag_vae.likelihoods import FixedVariance, Gaussian
from reslag_vae.models import Condition, FlatModel
from reslag_vae.models.terms import compute_terms
from reslag_vae.networks import LightResidualNetwork, LinearNetwork, Network, PlainNetwork
from reslag_vae.objectives import ELBO

NAMES = ["cat", "dog", "owl"]
CLASSES, ATTRIBUTES = Condition(NAMES), Condition(["hat", "scarf"], "attributes")
SHAPE = (1, 8, 8)


def make_model(condition: Condition | None = CLASSES, kind: Any = PlainNetwork) -> FlatModel:
    count = 0 if condition is None else condition.count
    network = kind(SHAPE, latent_dim=2, channels=[3, 4], blocks=[1, 1], conditions=count)
    model = FlatModel(network, Gaussian(FixedVariance(0.1)), condition=condition).double().eval()
    if condition is not None:
        torch.nn.init.normal_(model.shift.weight)
    return model.requires_grad_(False)


def draw_images(count: int = 6) -> Tensor:
    return torch.rand(count, *SHAPE, dtype=torch.float64)


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        ("dog", [[0, 1, 0]]),
        (2, [[0, 0, 1]]),
        (torch.tensor(2), [[0, 0, 1]]),
        (np.int64(2), [[0, 0, 1]]),
        (["owl", "cat"], [[0, 0, 1], [1, 0, 0]]),
        (np.array([1, 1]), [[0, 1, 0], [0, 1, 0]]),
        (np.array([2, 1])[::-1], [[0, 1, 0], [0, 0, 1]]),
        (np.array([2], np.uint16), [[0, 0, 1]]),
        (np.array(["owl", "cat"]), [[0, 0, 1], [1, 0, 0]]),
        (np.array(["owl", "cat"], dtype=object), [[0, 0, 1], [1, 0, 0]]),
        (torch.tensor([[0.5, 0.5, 0.0]]), [[0.5, 0.5, 0]]),
    ],
)
def test_classes_are_told_by_name_by_number_or_mixed(given: Any, rows: list[list[float]]) -> None:
    assert CLASSES.read(given).tolist() == rows


@pytest.mark.parametrize(
    ("given", "row"),
    [
        ({"hat": True}, [1, 0]),
        ({"scarf": 0.5, "hat": False}, [0, 0.5]),
        ("scarf", [0, 1]),
        (["hat", "scarf"], [1, 1]),
        ([], [0, 0]),
        (np.array([[True, False]]), [1, 0]),
    ],
)
def test_attributes_are_told_by_the_names_that_an_image_has(given: Any, row: list[float]) -> None:
    assert ATTRIBUTES.read(given).tolist() == [row]


@pytest.mark.parametrize("given", ["cow", 3, -1, 0.5, [], [1.0], None, [["dog"]], [[0, 2, 0]]])
def test_no_such_class_is_one_sentence(given: Any) -> None:
    with pytest.raises(ValueError, match="the class of each image is wanted, one of cat, dog, owl"):
        make_model().given(given)


@pytest.mark.parametrize(
    "given",
    [
        "tie",
        {"tie": 1},
        {"hat": 2},
        {"hat": float("nan")},
        {"hat": "yes"},
        1,
        [[1, 0, 0]],
        np.zeros(2),
    ],
)
def test_no_such_attribute_is_one_sentence(given: Any) -> None:
    with pytest.raises(ValueError, match="the attributes of each image are wanted, of hat, scarf"):
        make_model(ATTRIBUTES).given(given)


@pytest.mark.parametrize("given", [1, 2, [0, 1], 5])
def test_a_number_that_names_another_class_is_refused(given: Any) -> None:
    condition = Condition(["1", "2", "5"])
    with pytest.raises(ValueError, match=r"is ambiguous: .* give names"):
        condition.read(given)
    assert condition.read("2").tolist() == [[0, 1, 0]]
    assert condition.read(0).tolist() == [[1, 0, 0]]


@pytest.mark.parametrize("names", [[], ["cat"], ["cat", "cat"]])
def test_a_condition_has_different_names(names: list[str]) -> None:
    with pytest.raises(ValueError, match=r"condition\.names="):
        Condition(names)


def test_a_class_that_is_not_known_is_told_as_none() -> None:
    assert CLASSES.numbers(torch.tensor([-1, 1])).tolist() == [[0, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("kind", [PlainNetwork, LightResidualNetwork, LinearNetwork])
def test_what_is_told_joins_the_latent_and_the_encoder_s_last_layer(kind: Any) -> None:
    model, images = make_model(kind=kind), draw_images()
    told = CLASSES.numbers(torch.tensor([0, 1, 2, 2, 1, 0])).double()
    noise = torch.randn(6, 2, dtype=torch.float64)
    inferred, parameters = model.told(told).infer_and_decode(images, (noise,))

    features = model.network.inference(images) + told @ model.shift.weight.T
    density = model.posterior(features)
    torch.testing.assert_close(inferred.means[0], density.mean)
    code = density.rsample(noise)
    torch.testing.assert_close(inferred.code, code)
    expected = model.likelihood.link(model.network.generative(torch.cat([code, told], dim=1)))
    torch.testing.assert_close(parameters, expected)


def test_several_samples_of_an_image_are_told_the_same() -> None:
    model, images = make_model(), draw_images(2)
    told = CLASSES.numbers(torch.tensor([0, 2])).double()
    noise = torch.randn(6, 2, dtype=torch.float64)
    inferred, parameters = model.told(told).infer_and_decode(images, (noise,))
    for row in range(6):
        own = model.told(told[row // 3 : row // 3 + 1])
        image = images[row // 3 : row // 3 + 1]
        one, decoded = own.infer_and_decode(image, (noise[row : row + 1],))
        torch.testing.assert_close(inferred.code[row], one.code[0])
        torch.testing.assert_close(parameters[row], decoded[0])


def test_the_bound_is_that_of_the_model_of_the_given_class() -> None:
    """Image by image, each with a model of its own class."""
    model, images = make_model(), draw_images(3)
    labels = torch.tensor([2, 0, 1])
    whole = importance_weighted_bound(model.given(labels), images, samples=5)
    singles = [
        encode(model.given(int(label)), image[None]).means
        for label, image in zip(labels, images, strict=True)
    ]
    torch.testing.assert_close(encode(model.given(labels), images).means, torch.cat(singles))
    assert whole.importance_weighted.isfinite().all()
    other = importance_weighted_bound(model.given(0), images, samples=5)
    same = labels == 0
    bounds, others = whole.importance_weighted, other.importance_weighted
    torch.testing.assert_close(bounds[same], others[same])
    assert not torch.isclose(bounds[~same], others[~same]).any()


def test_each_image_of_many_chunks_is_told_its_own_class() -> None:
    """Codes and images of more than a chunk, of a split whose rows are in another order."""
    decoder = torch.nn.Sequential(torch.nn.Linear(1 + 3, 4), torch.nn.Unflatten(1, (1, 2, 2)))
    levels = torch.tensor([0.2, 0.4, 0.8])
    torch.nn.init.zeros_(decoder[0].bias)
    with torch.no_grad():  # the image is a grey of the class alone
        decoder[0].weight[:] = torch.cat([torch.zeros(1), torch.logit(levels)])
    encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    network = Network(encoder, decoder, (1, 2, 2), 1, conditions=3)
    model = FlatModel(network, Gaussian(FixedVariance(0.1)), condition=CLASSES)
    classes = torch.randint(3, (1500,))
    store = (levels * 255).byte()[classes].view(-1, 1, 1, 1).repeat(1, 1, 2, 2)
    split = Images(store, classes, torch.randperm(1500)[:1300])
    assert reconstruction_quality(model, split).mse.max() < 1e-4
    decoded = decode(told_of_split(model, split), encode(model, split).latents)
    torch.testing.assert_close(decoded, split.images / 255, rtol=0, atol=0.01)


def test_labels_are_told_in_training() -> None:
    model, images, labels = make_model(), draw_images(3), torch.tensor([1, 0, 2])
    noise = (torch.randn(3, 2, dtype=torch.float64),)
    terms, _ = compute_terms(model, ELBO(), images, noise, labels=labels)
    given, _ = compute_terms(model.given(labels), ELBO(), images, noise)
    assert torch.equal(terms.loss, given.loss)
    other, _ = compute_terms(model, ELBO(), images, noise, labels=labels.flip(0))
    assert not torch.isclose(other.loss, terms.loss)[[0, 2]].any()


def test_a_model_that_is_told_shares_its_weights_and_changes_nothing_of_the_other() -> None:
    model = make_model()
    own = model.given("dog")
    assert all(
        one is other for one, other in zip(own.parameters(), model.parameters(), strict=True)
    )
    assert model.conditions is None
    assert own.given("owl").conditions is not own.conditions
    with pytest.raises(ValueError, match=r"conditional: tell it the class .* model\.given"):
        model.encode(draw_images())
    with pytest.raises(ValueError, match=r"told of 2 image\(s\), and these are 3"):
        model.given([0, 1]).encode(draw_images(3))
    # Twice as many would be told in an order that nobody has asked for.
    two = model.given([0, 1])
    for call in (
        lambda: two.encode(draw_images(4)),
        lambda: two.reconstruct(draw_images(4)),
        lambda: two.decode(torch.zeros(4, 2, dtype=torch.float64)),
        lambda: two.sample(4),
    ):
        with pytest.raises(ValueError, match=r"told of 2 image\(s\), and these are 4"):
            call()
    with pytest.raises(ValueError, match="not conditional"):
        make_model(None).given("dog")


def test_samples_are_of_one_class_after_the_other_or_of_those_given() -> None:
    model = make_model()
    generator = torch.Generator().manual_seed(1)
    samples = model.sample(5, generator)
    latents = model.sample_latents(5, torch.Generator().manual_seed(1))
    decoded = model.given([0, 1, 2, 0, 1]).decode(joined(latents))
    torch.testing.assert_close(samples, decoded)
    owls = model.given("owl").sample(5, torch.Generator().manual_seed(1))
    torch.testing.assert_close(owls[2], samples[2])
    assert not torch.isclose(owls[0], samples[0]).all()
    with pytest.raises(ValueError, match="tell it the attributes"):
        make_model(ATTRIBUTES).sample(2)


def test_a_latent_can_be_decoded_as_another_class() -> None:
    model, image = make_model(), draw_images(1)
    code = model.given("cat").encode(image)
    swapped = [model.given(name).decode(code) for name in NAMES]
    assert len({float(own.sum()) for own in swapped}) == 3
    torch.testing.assert_close(swapped[0], model.given("cat").reconstruct(image))


def test_the_groups_have_every_parameter_once() -> None:
    model = make_model()
    groups = model.groups()
    owned = [id(own) for parts in groups.values() for part in parts for own in part.parameters()]
    assert sorted(owned) == sorted(id(own) for own in model.parameters())
    assert model.shift in groups["inference"]


def test_a_network_that_is_not_made_for_it_is_refused() -> None:
    network = PlainNetwork(SHAPE, latent_dim=2, channels=[3], blocks=[1])
    with pytest.raises(ValueError, match=r"network\.conditions=0: must be .* 3"):
        FlatModel(network, Gaussian(FixedVariance(0.1)), condition=CLASSES)


def test_own_modules_may_be_told() -> None:
    encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 4))
    decoder = torch.nn.Sequential(torch.nn.Linear(2 + 3, 64), torch.nn.Unflatten(1, SHAPE))
    network = Network(encoder, decoder, SHAPE, 2, conditions=3)
    model = FlatModel(network, Gaussian(FixedVariance(0.1)), condition=CLASSES)
    assert model.given("dog").sample(2).shape == (2, *SHAPE)
