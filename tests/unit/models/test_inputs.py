"""The inputs of the public functions: all that can be meant is taken, the rest is one sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from reslag_vae import evaluation
from reslag_vae._runtime.images import as_images
from reslag_vae.data import Images, pictures
from reslag_vae.evaluation.adapters import EncoderDecoder
from reslag_vae.evaluation.codes import Codes
from reslag_vae.evaluation.metrics.mixture import CodeMixture
from reslag_vae.latents import DiagonalGaussian
from reslag_vae.likelihoods import Bernoulli
from reslag_vae.models import FlatModel
from reslag_vae.networks import Network
from tests.systems import make_model

MakeNetwork = Callable[..., Network]


@pytest.fixture
def model(make_network: MakeNetwork) -> FlatModel:
    """A model of 1x8x8 images with three latent dimensions."""
    return make_model(make_network()).eval()


def rand(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


BAD_IMAGES: dict[str, tuple[Any, str]] = {
    "another size": (
        rand(2, 1, 25, 30),
        r"\(B, 1, 8, 8\) are wanted, and these are \(2, 1, 25, 30\)",
    ),
    "larger": (rand(2, 1, 9, 9), r"\(B, 1, 8, 8\) are wanted"),
    "colour": (rand(1, 3, 8, 8), r"\(B, 1, 8, 8\) are wanted, and these are \(1, 3, 8, 8\)\.$"),
    "channels last": (rand(2, 8, 8, 1), "channels come before height and width"),
    "greys without channels": (
        rand(5, 8, 8),
        r"are \(5, 8, 8\): several images of greys are images\[:, None\]",
    ),
    "two dimensions": (rand(8, 8), "are wanted"),
    "five dimensions": (rand(1, 1, 1, 8, 8), "are wanted"),
    "none": (rand(0, 1, 8, 8), "are wanted"),
    "no number": (torch.tensor(0.5), "are wanted"),
    "0 to 255": (
        rand(2, 1, 8, 8) * 255,
        r"must lie in \[0, 1\].* divide them by 255, or give uint8",
    ),
    "negative": (rand(2, 1, 8, 8) - 0.5, r"must lie in \[0, 1\], and these go from -0\."),
    "standardised": (torch.randn(2, 1, 8, 8), r"must lie in \[0, 1\]"),
    "huge": (rand(2, 1, 8, 8) * 1e30, r"must lie in \[0, 1\]"),
    "NaN": (torch.full((2, 1, 8, 8), float("nan")), "finite"),
    "infinite": (torch.full((2, 1, 8, 8), float("inf")), "finite"),
    "whole numbers": (torch.full((2, 1, 8, 8), 300), r"0\.\.255"),
    "negative whole numbers": (torch.full((2, 1, 8, 8), -1), r"0\.\.255"),
    "complex": (torch.ones(2, 1, 8, 8, dtype=torch.complex64), "uint8 or floating point"),
    "a text": ("images", "a tensor, a numpy array, a PIL picture"),
    "bytes": (b"images", "a tensor, a numpy array, a PIL picture"),
    "nothing": (None, "a tensor, a numpy array, a PIL picture"),
    "a number": (3, "a tensor, a numpy array, a PIL picture"),
    "an empty list": ([], "a tensor, a numpy array, a PIL picture"),
    "a list of numbers": ([1, 2], "a tensor, a numpy array, a PIL picture"),
    "sizes that differ": ([rand(1, 8, 8), rand(1, 9, 9)], "all of one size"),
    "channels that differ": ([rand(1, 8, 8), rand(3, 8, 8)], "as many channels .* have 1 and 3"),
    "texts": (np.array([["a"]]), "a tensor, a numpy array, a PIL picture"),
    "a picture of another size": (Image.new("L", (9, 8)), "pictures of 8 x 8 are wanted"),
}
OF_IMAGES: dict[str, Callable[[FlatModel, Any], object]] = {
    "encode": lambda model, images: model.encode(images),
    "reconstruct": lambda model, images: model.reconstruct(images),
    "interpolate": lambda model, images: model.interpolate(images, images),
    "evaluation.encode": evaluation.encode,
    "importance_weighted_bound": lambda model, images: evaluation.importance_weighted_bound(
        model, images, 2
    ),
    "reconstruction_quality": evaluation.reconstruction_quality,
}


@pytest.mark.parametrize("function", OF_IMAGES)
@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_what_are_no_images_of_the_model_is_one_sentence(
    kind: str, function: str, model: FlatModel
) -> None:
    images, message = BAD_IMAGES[kind]
    with pytest.raises(ValueError, match=rf"^images: .*{message}") as error:
        OF_IMAGES[function](model, images)
    assert "\n" not in str(error.value)


PIXELS = (rand(2, 1, 8, 8) * 255).round().to(torch.uint8)
GOOD_IMAGES: dict[str, Any] = {
    "uint8": PIXELS,
    "float32": PIXELS / 255,
    "float64": PIXELS.double() / 255,
    "half": (PIXELS / 255).half(),
    "int64": PIXELS.long(),
    "int16": PIXELS.short(),
    "numpy uint8": PIXELS.numpy(),
    "numpy float64": PIXELS.numpy() / 255,
    "not contiguous": PIXELS.transpose(2, 3).contiguous().transpose(2, 3),
    "a view": PIXELS.numpy()[:, :, ::1],
    "pictures": [Image.fromarray(image[0].numpy()) for image in PIXELS],
    "coloured pictures": [Image.fromarray(image[0].numpy()).convert("RGB") for image in PIXELS],
    "tensors": list(PIXELS),
    "arrays": [image.numpy() for image in PIXELS],
}


@pytest.mark.parametrize("kind", GOOD_IMAGES)
def test_whatever_holds_images_is_taken(kind: str, model: FlatModel) -> None:
    expected = model.encode(PIXELS)
    codes = model.encode(GOOD_IMAGES[kind])
    assert codes.dtype == torch.float32
    assert torch.allclose(codes, expected, atol=2e-2 if kind == "half" else 1e-5)
    assert model.reconstruct(GOOD_IMAGES[kind]).shape == (2, 1, 8, 8)
    found = evaluation.encode(model, GOOD_IMAGES[kind]).means
    assert torch.allclose(found.float(), expected, atol=2e-2 if kind == "half" else 1e-5)


BITS = PIXELS > 127
BLACK_AND_WHITE: dict[str, Any] = {
    "uint8 of 0 and 1": BITS.byte(),
    "uint8 of 0 and 255": BITS.byte() * 255,
    "bool": BITS,
    "int64 of 0 and 1": BITS.long(),
    "int64 of 0 and 255": BITS.long() * 255,
    "float32": BITS.float(),
    "float64": BITS.double(),
    "numpy bool": BITS.numpy(),
    "numpy uint8 of 0 and 1": BITS.numpy().astype(np.uint8),
    "tensors of 0 and 1": list(BITS.byte()),
    "arrays of true and false": [image.numpy() for image in BITS],
    "pictures of one bit": [Image.fromarray(image[0].numpy()) for image in BITS],
    "pictures of 0 and 1": [Image.fromarray(image[0].byte().numpy()) for image in BITS],
}


@pytest.fixture
def binary(make_network: MakeNetwork) -> FlatModel:
    """A model of 1x8x8 images of black and white."""
    return FlatModel(make_network(), Bernoulli()).eval()


@pytest.mark.parametrize("kind", BLACK_AND_WHITE)
def test_black_and_white_is_the_same_in_every_form(kind: str, binary: FlatModel) -> None:
    ours, given = BITS.float(), BLACK_AND_WHITE[kind]
    assert torch.equal(binary.encode(given), binary.encode(ours))
    assert torch.equal(binary.reconstruct(given), binary.reconstruct(ours))
    for measured in (
        lambda images: evaluation.encode(binary, images).latents,
        lambda images: evaluation.importance_weighted_bound(binary, images, 4).importance_weighted,
        lambda images: evaluation.reconstruction_quality(binary, images).mse,
    ):
        torch.testing.assert_close(measured(given), measured(ours))


def test_images_all_of_one_colour_are_black_or_white(binary: FlatModel) -> None:
    for value in (0, 1):
        ones = torch.full((2, 1, 8, 8), value)
        assert torch.equal(binary.encode(ones.byte()), binary.encode(ones.float()))


GREYS: dict[str, Any] = {
    "uint8": PIXELS,
    "int64": PIXELS.long(),
    "float32": PIXELS / 255,
    "0, 1 and 255": BITS.byte() * 255 + (~BITS).byte(),
    "a little off white": BITS * 0.999,
    "half of white": torch.full((2, 1, 8, 8), 128, dtype=torch.uint8),
    "pictures": [Image.fromarray(image[0].numpy()) for image in PIXELS],
    "a split": Images(PIXELS, torch.zeros(2, dtype=torch.int64)),
    "a split of 0 and 1": Images(BITS.byte(), torch.zeros(2, dtype=torch.int64)),
}


@pytest.mark.parametrize("kind", GREYS)
def test_greys_have_no_probability_under_a_binary_likelihood(kind: str, binary: FlatModel) -> None:
    images = GREYS[kind]
    own = OF_IMAGES if "split" not in kind else list(OF_IMAGES)[3:]
    for function in own:
        with pytest.raises(ValueError, match=r"^images: .*black and white .* 255") as error:
            OF_IMAGES[function](binary, images)
        assert "\n" not in str(error.value)


def test_a_foreign_pair_with_a_binary_likelihood_takes_black_and_white(binary: FlatModel) -> None:
    def encoder(images: Tensor) -> tuple[Tensor, Tensor]:
        own = binary.posterior_of(images)
        assert own.log_variance is not None
        return own.mean, own.log_variance

    pair = EncoderDecoder(encoder, binary.network.generative, likelihood=Bernoulli())
    expected = evaluation.importance_weighted_bound(binary, BITS, 4)
    found = evaluation.importance_weighted_bound(pair, BITS.byte(), 4)
    torch.testing.assert_close(found.importance_weighted, expected.importance_weighted)
    with pytest.raises(ValueError, match="black and white"):
        evaluation.importance_weighted_bound(pair, PIXELS, 4)


def test_a_split_of_black_and_white_is_taken(binary: FlatModel) -> None:
    split = Images(BITS.byte() * 255, torch.zeros(2, dtype=torch.int64))
    assert torch.equal(
        evaluation.encode(binary, split).means, evaluation.encode(binary, BITS).means
    )


def test_true_and_false_are_white_and_black_to_a_model_of_greys(model: FlatModel) -> None:
    assert torch.equal(model.encode(BITS), model.encode(BITS.float()))
    assert torch.equal(model.encode(list(BITS.numpy())), model.encode(BITS.float()))
    # A dark picture, for greys have levels.
    assert torch.equal(model.encode(BITS.byte()), model.encode(BITS / 255))


def test_lpips_looks_at_its_images_too(model: FlatModel) -> None:
    with pytest.raises(ValueError, match=r"^images: .*divide them by 255"):
        evaluation.lpips(model, rand(2, 1, 8, 8) * 255)
    with pytest.raises(ValueError, match=r"^images: .*finite"):
        evaluation.inception_distances(torch.full((4, 1, 8, 8), float("nan")), {})


def test_one_image_is_a_batch_of_one(model: FlatModel) -> None:
    assert model.encode(PIXELS[0]).shape == (1, 3)
    assert model.reconstruct(Image.fromarray(PIXELS[0, 0].numpy())).shape == (1, 1, 8, 8)
    assert model.interpolate(PIXELS[0], PIXELS[1], 5).shape == (5, 1, 8, 8)
    assert model.interpolate(PIXELS[:1], PIXELS[1:], 1).shape == (1, 1, 8, 8)
    assert model.decode(torch.zeros(3)).shape == (1, 1, 8, 8)


def test_gradients_pass_the_border(model: FlatModel) -> None:
    images = rand(2, 1, 8, 8).requires_grad_()
    model.reconstruct(images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    latents = torch.zeros(2, 3, requires_grad=True)
    model.decode(latents).sum().backward()
    assert latents.grad is not None


BAD_LATENTS: dict[str, tuple[Any, str]] = {
    "too many": (torch.zeros(2, 4), r"\(B, 3\) are wanted, and these are \(2, 4\)"),
    "too few": (torch.zeros(2), r"\(B, 3\) are wanted"),
    "none": (torch.zeros(0, 3), r"\(B, 3\) are wanted"),
    "three dimensions": (torch.zeros(1, 2, 3), r"\(B, 3\) are wanted"),
    "NaN": (torch.full((2, 3), float("nan")), "finite"),
    "infinite": (torch.full((2, 3), float("inf")), "finite"),
    "too large": (torch.full((2, 3), 1e300, dtype=torch.float64), "finite"),
    "true and false": (torch.ones(2, 3, dtype=torch.bool), "floating point is wanted"),
    "complex": (torch.ones(2, 3, dtype=torch.complex64), "floating point is wanted"),
    "a text": ("abc", r"\(B, 3\) numbers are wanted"),
    "nothing": (None, r"\(B, 3\) numbers are wanted"),
    "texts": ([["a"]], r"\(B, 3\) numbers are wanted"),
}


@pytest.mark.parametrize("kind", BAD_LATENTS)
def test_what_are_no_latents_of_the_model_is_one_sentence(kind: str, model: FlatModel) -> None:
    latents, message = BAD_LATENTS[kind]
    for decode in (model.decode, lambda latents: evaluation.decode(model, latents)):
        with pytest.raises(ValueError, match=rf"^latents: .*{message}"):
            decode(latents)


@pytest.mark.parametrize(
    "latents",
    [np.zeros((2, 3)), [[0, 0, 0], [0, 0, 0]], torch.zeros(2, 3).half(), torch.zeros(2, 3).long()],
)
def test_latents_are_converted(latents: Any, model: FlatModel) -> None:
    assert torch.equal(model.decode(latents), model.decode(torch.zeros(2, 3)))


CODES = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize(
    "latents",
    [
        CODES[::-1].copy()[::-1],
        CODES.astype(">f4"),
        CODES.astype(np.longdouble),
        np.lib.stride_tricks.as_strided(CODES, writeable=False),
        list(CODES),
        tuple(torch.from_numpy(CODES)),
        [list(CODES[0]), torch.from_numpy(CODES[1])],
    ],
    ids=["backwards", "big endian", "long", "to be read only", "arrays", "tensors", "mixed"],
)
def test_latents_may_be_arrays_of_any_layout_and_lists_of_them(
    latents: Any, model: FlatModel
) -> None:
    assert torch.equal(model.decode(latents), model.decode(torch.from_numpy(CODES)))


COUNTS = [
    0,
    -1,
    np.int64(0),
    np.True_,
    torch.ones(2),
    True,
    1.0,
    "3",
    None,
    10**10,
    [1],
    float("nan"),
]


@pytest.mark.parametrize("count", COUNTS)
def test_a_count_is_a_whole_number_that_memory_can_hold(count: Any, model: FlatModel) -> None:
    for name, call in (
        ("count", lambda: model.sample(count)),
        ("steps", lambda: model.interpolate(PIXELS[0], PIXELS[1], count)),
        ("samples", lambda: evaluation.importance_weighted_bound(model, PIXELS, count)),
        ("components", lambda: evaluation.fit_pca(PIXELS, count)),
        ("components", lambda: CodeMixture(rand(20, 3), count)),
    ):
        with pytest.raises(ValueError, match=rf"^{name}="):
            call()


@pytest.mark.parametrize("seed", [-1, True, 0.5, 2**32, "0", None])
def test_a_seed_is_a_whole_number(seed: Any, model: FlatModel) -> None:
    for call in (
        lambda: evaluation.encode(model, PIXELS, seed),
        lambda: evaluation.importance_weighted_bound(model, PIXELS, 2, seed=seed),
        lambda: evaluation.fit_pca(PIXELS, 1, seed),
        lambda: CodeMixture(rand(20, 3), 2, seed),
    ):
        with pytest.raises(ValueError, match=r"^seed="):
            call()


WHOLE = [np.int64(3), np.uint8(3), np.array(3), torch.tensor(3)]


@pytest.mark.parametrize("three", WHOLE)
def test_whole_numbers_of_every_library_are_taken(three: Any, model: FlatModel) -> None:
    assert model.sample(three).shape == (3, 1, 8, 8)
    assert model.interpolate(PIXELS[0], PIXELS[1], three).shape == (3, 1, 8, 8)
    assert evaluation.fit_pca(rand(5, 1, 8, 8), three).axes.shape == (64, 3)
    assert CodeMixture(rand(20, 3), three, seed=three).sample(three, three).shape == (3, 3)
    for one, other in zip(
        evaluation.importance_weighted_bound(model, PIXELS, three, 0.1, seed=three),
        evaluation.importance_weighted_bound(model, PIXELS, 3, 0.1, seed=3),
        strict=True,
    ):
        assert torch.equal(one, other)
    own = evaluation.encode(model, PIXELS, seed=three).latents
    assert torch.equal(own, evaluation.encode(model, PIXELS, seed=3).latents)


TEMPERATURES = [float("inf"), float("nan"), -1, 1e300, "a", None, True, torch.ones(2), [1.0], 1j]


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_a_temperature_is_a_number_that_leaves_images_finite(
    temperature: Any, model: FlatModel
) -> None:
    with pytest.raises(ValueError, match=r"^temperature=(.|\n)*: must be a number from 0 to 1,000"):
        model.sample(2, temperature=temperature)


@pytest.mark.parametrize("temperature", [0, 0.5, np.float32(2), np.float64(0.7), 1e6])
def test_every_other_temperature_gives_images(temperature: Any, model: FlatModel) -> None:
    images = model.sample(2, temperature=temperature)
    assert images.isfinite().all()


@pytest.mark.parametrize("sigma2", [0, -1, float("nan"), float("inf"), "abc", [], [[1.0, 0.0]], {}])
def test_a_variance_is_positive_and_finite(sigma2: Any, model: FlatModel) -> None:
    zeros = torch.zeros(3, 3)
    codes = Codes(zeros, zeros, log_variances=zeros, kls=zeros, rates=torch.zeros(3))
    for call in (
        lambda: evaluation.importance_weighted_bound(model, PIXELS, 2, sigma2),
        lambda: evaluation.diagnose(model, codes, sigma2),
    ):
        with pytest.raises(ValueError, match=r"^sigma2=.*positive and finite"):
            call()


@pytest.mark.parametrize("generator", [3, "seed", np.random.default_rng(0)])
def test_a_generator_is_one_of_torch(generator: Any, model: FlatModel) -> None:
    with pytest.raises(ValueError, match=r"^generator="):
        model.sample(2, generator)
    with pytest.raises(ValueError, match=r"^generator="):
        model.decode(torch.zeros(1, model.latent_dim), generator)


def test_statistics_of_too_few_codes_are_one_sentence() -> None:
    one = DiagonalGaussian(torch.zeros(1, 2), torch.zeros(1, 2))
    with pytest.raises(ValueError, match="one for each of at least 2 posteriors"):
        evaluation.aggregate_posterior(one, torch.zeros(1, 2))
    two = DiagonalGaussian(torch.zeros(2, 2), torch.zeros(2, 2))
    for latents in (torch.zeros(3, 2), torch.zeros(2, 3), torch.full((2, 2), float("nan")), "x"):
        with pytest.raises(ValueError, match=r"^latents: "):
            evaluation.aggregate_posterior(two, latents)
    for features in (
        torch.zeros(1, 2),
        torch.zeros(2, 0),
        torch.zeros(3),
        "x",
        torch.full((3, 2), float("inf")),
    ):
        with pytest.raises(ValueError, match=r"wanted|takes at least 2|do not compare"):
            evaluation.frechet_distance(features, torch.zeros(3, 2))
    with pytest.raises(ValueError, match="do not compare"):
        evaluation.frechet_distance(torch.zeros(3, 2), torch.zeros(3, 4))


def test_codes_and_labels_go_together() -> None:
    codes, labels = rand(10, 3), torch.arange(10) % 2
    for probe in (evaluation.linear_probe, evaluation.nearest_neighbours):
        assert 0 <= probe(codes, labels, codes, labels) <= 1
        for wrong in (
            (codes, labels[:5], codes, labels),
            (codes, labels * 0, codes, labels),
            (codes[:0], labels[:0], codes, labels),
            (codes, labels, codes[:, :2], labels),
            (codes * float("nan"), labels, codes, labels),
            (codes, "labels", codes, labels),
        ):
            with pytest.raises(ValueError, match=r"labels|latents|do not compare"):
                probe(*wrong)


@pytest.mark.parametrize(
    "given",
    [
        torch.zeros(1, 1, 4, 4).to_sparse(),
        torch.zeros(1, 1, 4, 4, device="meta"),
        torch.zeros(1, 1, 4, 4).to(torch.float8_e4m3fn),
        Image.fromarray(np.full((4, 4), 0.5, np.float32)),
        Image.fromarray(np.full((4, 4), 40_000, np.uint16)),
        Image.fromarray(np.full((4, 4), 40_000, np.int32)),
    ],
)
def test_what_has_no_pixels_of_ours_is_a_sentence(given: object) -> None:
    with pytest.raises(ValueError, match=r"^images: .* (is|are) wanted"):
        as_images(given, (1, 4, 4))


@pytest.mark.parametrize("dtype", ["u2", ">u2", "u4", ">f4", "f8", "longdouble"])
def test_every_kind_of_number_is_taken(dtype: str) -> None:
    value = 200 if "u" in dtype and "long" not in dtype else 0.5
    images = as_images(np.full((1, 1, 4, 4), value, dtype), (1, 4, 4))
    assert float(images[0, 0, 0, 0]) == value


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8), None])
def test_transparent_pictures_lie_over_white_as_those_of_a_folder(
    mode: str, shape: tuple[int, int, int] | None, tmp_path: Path
) -> None:
    picture = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    picture.paste((200, 10, 10, 255), (0, 0, 4, 8))
    picture.convert(mode).save(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as file:
        images = as_images(file, shape)
    channels = images.shape[1]
    decoded = pictures.decode(tmp_path / "picture.png", 8, channels, pictures.whole).pixels
    assert torch.equal(images[0].permute(1, 2, 0), torch.from_numpy(decoded.copy()))
    assert (images[..., 4:] == 255).all()
    assert (images[..., :4] < 255).any()
