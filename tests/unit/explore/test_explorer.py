"""The numbers and images of an explorer against the model's own, for every kind of latent."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from omegaconf import DictConfig
from sklearn.metrics import pairwise_distances
from torch import Tensor

from reslag_vae.evaluation.likeliest import likeliest_classes
from reslag_vae.explore.axes import pca_map, principal
from reslag_vae.explore.explorer import Explorer
from reslag_vae.explore.pictures import Pictures
from reslag_vae.explore.told import conditions_of
from reslag_vae.latents.noise import normal_rows
from reslag_vae.likelihoods.pixels import eight_bits, unit_interval
from reslag_vae.models import GenerativeModel
from reslag_vae.networks import Network
from reslag_vae.options.condition import named
from reslag_vae.training.build import build_system
from tests.systems import TINY, make_model
from tests.unit.explore.pictures import some_pictures


def nearly(found: Tensor, expected: Tensor) -> bool:
    """Whether uint8 images are the same but for rounding."""
    return found.shape == expected.shape and int((found.int() - expected.int()).abs().max()) <= 1


def test_codes_and_reconstructions_are_the_models_own(explorer: Explorer) -> None:
    model, images = explorer.model, explorer.pictures.images
    torch.testing.assert_close(explorer.codes.means, model.encode(images))
    torch.testing.assert_close(
        explorer.point_of(images[3]), explorer.codes.means[3], rtol=1e-4, atol=1e-5
    )
    expected = eight_bits(model.reconstruct(images[3:4]))
    assert nearly(explorer.image(explorer.codes.means[3])[None], expected)


def test_a_conditional_model_is_told_what_pictures_are(
    compose: Callable[..., DictConfig],
) -> None:
    config = named(compose("model=vae", "condition=label", *TINY), ["cat", "dog"])
    model = build_system(config).model.eval().requires_grad_(False)
    torch.nn.init.normal_(model.get_submodule("shift").weight)
    images = torch.randint(256, (6, *model.image_shape), dtype=torch.uint8)
    labels = torch.tensor([0, 1, 1, 0, -1, 1])
    pictures = Pictures(images, list("abcdef"), labels, ["dog", "cat"])
    explorer = Explorer("told", model, pictures)

    assert explorer.points.shape == (6, model.latent_dim + 2)
    likeliest = int(likeliest_classes(model, unit_interval(images[4:5]), None))
    told = [1, 0, 0, 1, likeliest, 0]  # by name, not by number
    assert explorer.points[:, model.latent_dim :].argmax(1).tolist() == told
    own = model.given(told)
    torch.testing.assert_close(explorer.points[:, : model.latent_dim], own.encode(images))
    assert nearly(explorer.images(explorer.points), eight_bits(own.reconstruct(images)))

    # Arithmetic of classes exchanges what the model is told, too.
    exchanged = explorer.points[0] + explorer.vectors["cat"] - explorer.vectors["dog"]
    assert exchanged[model.latent_dim :].tolist() == pytest.approx([1, 0], abs=1e-5)
    brought = explorer.point_of(images[4])
    torch.testing.assert_close(brought, explorer.points[4], rtol=1e-4, atol=1e-5)
    assert explorer.samples("prior", 4).shape == (4, *model.image_shape)


def test_attributes_that_are_not_known_of_pictures_none_has(
    compose: Callable[..., DictConfig],
) -> None:
    words = ("model=vae", "condition=attributes", *TINY)
    config = named(compose(*words), ["old", "bald", "smiling"])
    model = build_system(config).model.eval().requires_grad_(False)
    pictures = some_pictures(model.image_shape, 6)
    assert pictures.members is not None
    told = conditions_of(model, pictures, None)
    assert told is not None
    expected = torch.stack([pictures.members[:, 1], torch.zeros(6), pictures.members[:, 0]], dim=1)
    assert torch.equal(told, expected)
    told = conditions_of(model, pictures._replace(members=None, attributes=()), None)
    assert torch.equal(told, torch.zeros(6, 3))


def test_a_slider_moves_one_place_and_no_other(explorer: Explorer) -> None:
    code = explorer.codes.means[2]
    own = explorer.coordinates(code[None])[0]
    values = own.tolist()
    values[1] = 1.5
    moved = explorer.coordinates(explorer.moved(code, {1: 1.5})[None])[0]
    assert moved.tolist() == pytest.approx(values, abs=1e-3)
    assert torch.equal(explorer.moved(code, {}), code)


def test_a_traversal_is_what_the_slider_decodes(explorer: Explorer) -> None:
    code = explorer.codes.means[2]
    found = explorer.traverse(code, 1, [-2.0, 0.5])
    for image, value in zip(found, (-2.0, 0.5), strict=True):
        assert nearly(image, explorer.image(explorer.moved(code, {1: value})))


def test_places_are_standard_deviations(small: Explorer) -> None:
    places = small.coordinates(small.codes.means).double()
    assert places.mean(0).abs().max() < 1e-3
    assert places.std(0, unbiased=False).tolist() == pytest.approx([1, 1, 1], rel=1e-3)


def test_a_line_and_a_square_end_at_the_reconstructions(explorer: Explorer) -> None:
    means = explorer.codes.means
    line = explorer.interpolate(means[:2], 5)
    assert nearly(line[[0, -1]], explorer.images(means[:2]))
    expected = explorer.model.interpolate(*explorer.pictures.images[:2], steps=5)
    assert nearly(line, eight_bits(expected))
    square = explorer.interpolate(means[:4], 3)
    ends = torch.stack([square[0, 0], square[0, 2], square[2, 0], square[2, 2]])
    assert nearly(ends, explorer.images(means[:4]))
    assert nearly(square[1, 1], explorer.image(means[:4].mean(0)))


def test_sums_of_classes_and_attributes(explorer: Explorer) -> None:
    means, labels = explorer.codes.means, explorer.pictures.labels
    assert list(explorer.vectors) == ["smiling", "old", "round", "square", "<b>long"]
    way = means[labels == 1].mean(0) - means[labels == 0].mean(0)
    found = explorer.arithmetic(means[0], "square", "round", [0.0, 2.0])
    assert nearly(found, explorer.images(torch.stack([means[0], means[0] + 2 * way])))
    even = explorer.pictures.members[:, 0]  # type: ignore[index]
    way = means[even].mean(0) - means[~even].mean(0)
    found = explorer.arithmetic(means[0], "smiling", None, [1.0])
    assert nearly(found, explorer.images((means[0] + way)[None]))


def test_samples_of_the_prior_are_the_models_own(explorer: Explorer) -> None:
    found = explorer.samples("prior", 3, 0.5, seed=1)
    model, generator = explorer.model, torch.Generator().manual_seed(1)
    noise = normal_rows(3, sum(model.noise_dims), generator).split(model.noise_dims, dim=1)
    latents = model.from_noise(noise, 0.5)
    assert nearly(found, explorer.images(torch.cat(latents, dim=1)))
    assert nearly(explorer.samples("prior", 5, 0.5, seed=1)[:3], found)


def test_neighbours_are_the_nearest(small: Explorer) -> None:
    means = small.codes.means
    distances = pairwise_distances(means.double().numpy())
    np.fill_diagonal(distances, np.inf)
    expected = distances.argsort(1)[:, :4]
    assert (small.all_neighbours(4) == expected).all()
    assert small.neighbours(means[7], 4, own=7).positions[0].tolist() == expected[7].tolist()
    # A picture from elsewhere may be the twin of one that is there.
    twin = small.neighbours(means[7], 4)
    assert twin.positions[0].tolist() == [7, *expected[7][:3]]
    assert twin.distances[0, 0] == 0


def test_principal_directions_are_those_of_the_covariance() -> None:
    for shape in ((40, 6), (5, 30)):
        codes = torch.randn(*shape) * torch.arange(1, shape[1] + 1)
        found = principal(codes, 3)
        covariance = torch.cov(codes.double().T, correction=0)
        values = torch.linalg.eigvalsh(covariance).flip(0)
        torch.testing.assert_close(found.variances, values[:3])
        torch.testing.assert_close(found.shares, values[:3] / values.sum())
        expected = found.directions * found.variances[:, None]
        torch.testing.assert_close(found.directions @ covariance, expected)
    assert (pca_map(torch.ones(4, 3)) == 0).all()


def test_maps_have_a_place_for_each_picture(small: Explorer) -> None:
    many = Explorer("many", small.model, some_pictures((1, 8, 8), 50))
    assert many.maps == ("PCA", "t-SNE", "two axes")
    for name in many.maps:
        places = many.map(name)
        assert places.shape == (50, 2)
        assert places.isfinite().all()
    assert small.maps == ("PCA", "two axes")
    assert (small.map("two axes", 2, 0)[:, 1] == small.map("two axes", 0, 1)[:, 0]).all()


def test_axes_are_the_most_active_dimensions(small: Explorer) -> None:
    order = small.codes.activity.argsort(descending=True).tolist()
    assert [axis.label for axis in small.axes] == [f"z{place + 1}" for place in order]


def test_axes_of_codes_are_principal_directions(
    model_of: Callable[[str], GenerativeModel],
) -> None:
    model = model_of("vq_vae")
    explorer = Explorer("codes", model, some_pictures(model.image_shape))
    assert explorer.axes[0].label.startswith("direction 1, ")
    assert "nearest codes" in explorer.notes[0]


def test_a_temperature_narrows_each_sampler(small: Explorer) -> None:
    assert small.samplers == ("prior", "mixture")
    for sampler in small.samplers:
        cold = small.samples(sampler, 12, 0.0).float()
        warm = small.samples(sampler, 12, 1.0).float()
        assert cold.var(0).sum() < warm.var(0).sum()
        assert (small.samples(sampler, 12, 1.0) == warm).all()


def test_samplers_that_the_model_brings_along_need_no_pictures(small: Explorer) -> None:
    def zeros(count: int, seed: int, temperature: float = 1.0) -> Tensor:
        return torch.zeros(count, small.model.latent_dim)

    pictures = some_pictures((1, 8, 8), 1)
    one = Explorer("one", small.model, pictures, samplers={"flow": zeros})
    assert one.samplers == ("prior", "flow")
    expected = eight_bits(small.model.decode(torch.zeros(2, small.model.latent_dim)))
    assert torch.equal(one.samples("flow", 2), expected)


def test_a_collapsed_model_says_so_and_has_sliders(make_network: Callable[..., Network]) -> None:
    model = make_model(make_network()).eval().requires_grad_(False)
    for own in model.groups()["inference"]:
        for parameter in own.parameters():
            parameter.zero_()
    explorer = Explorer("collapsed", model, some_pictures(model.image_shape))
    assert "No latent dimension is active: the code says nothing of a picture." in explorer.notes
    assert [axis.spread for axis in explorer.axes] == [1, 1]
    assert explorer.map("PCA").isfinite().all()


def test_one_picture_has_no_neighbours(small: Explorer) -> None:
    one = Explorer("one", small.model, some_pictures((1, 8, 8), 1))
    assert one.all_neighbours(4).shape == (1, 0)
    assert one.maps == ("PCA", "two axes")
    assert one.samplers == ("prior",)


def test_samples_of_pixels_are_the_same_at_each_call(slow: Explorer) -> None:
    assert not slow.quick
    image = slow.pictures.images[:1]
    found = slow.image(slow.codes.means[0])[None]
    assert torch.equal(found, eight_bits(slow.model.reconstruct(image)))
