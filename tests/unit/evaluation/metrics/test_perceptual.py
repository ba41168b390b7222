"""LPIPS, FID and KID with random weights in place of the official ones: inputs and messages."""

import sys
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch import Tensor, nn

from reslag_vae._runtime.errors import UserError
from reslag_vae.data import Images
from reslag_vae.evaluation.adapters import EncoderDecoder
from reslag_vae.evaluation.metrics import perceptual
from reslag_vae.evaluation.metrics.frechet import frechet_distance
from reslag_vae.evaluation.metrics.perceptual import (
    inception_distances,
    inception_features,
    kernel_distance,
    lpips,
)
from reslag_vae.evaluation.metrics.pretrained import (
    ALEXNET,
    INCEPTION,
    download_cache,
    inception_network,
)


def name_of(url: str) -> str:
    return url.rsplit("/", 1)[1]


@pytest.fixture(scope="module")
def alexnet_features() -> nn.Sequential:
    from torchvision.models import AlexNet

    torch.manual_seed(3)
    features: nn.Sequential = AlexNet(num_classes=2).features
    return features


@pytest.fixture
def weights(tmp_path: Path, alexnet_features: nn.Sequential) -> Path:
    """A folder with random weights of AlexNet under their official name."""
    state = {f"features.{name}": tensor for name, tensor in alexnet_features.state_dict().items()}
    torch.save(state | {"classifier.6.bias": torch.zeros(1000)}, tmp_path / name_of(ALEXNET))
    return tmp_path


def darker(factor: float, shape: tuple[int, ...]) -> EncoderDecoder:
    """Its codes are the images, its reconstructions darker ones."""
    return EncoderDecoder(nn.Flatten(), lambda latents: factor * latents.view(-1, *shape))


def reference_lpips(features: nn.Sequential, a: Tensor, b: Tensor) -> Tensor:
    """Eq. 1 of the paper with torchmetrics' linear weights, for (N, 3, H, W) images in [0, 1]."""
    import torchmetrics.functional.image as package

    folder = Path(package.__file__).parent / "lpips_models"
    linear = torch.load(folder / "alex.pth", map_location="cpu", weights_only=True)
    mean, std = (
        torch.tensor(x)[:, None, None] for x in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    )
    x, y = (a - mean) / std, (b - mean) / std
    total = torch.zeros(len(a))
    taps = iter(range(5))
    for layer in features[:12]:
        x, y = layer(x), layer(y)
        if isinstance(layer, nn.ReLU):
            difference = (nn.functional.normalize(x) - nn.functional.normalize(y)).square()
            total += (linear[f"lin{next(taps)}.model.1.weight"] * difference).sum(1).mean((1, 2))
    return total


@torch.no_grad()
def test_lpips_is_that_of_the_paper(weights: Path, alexnet_features: nn.Sequential) -> None:
    images = torch.rand(3, 3, 64, 80)
    distances = lpips(darker(0.5, (3, 64, 80)), images, weights)
    assert distances.dtype == torch.float64
    expected = reference_lpips(alexnet_features, 0.5 * images, images)
    assert float(expected.min()) > 1e-3
    torch.testing.assert_close(distances.float(), expected, rtol=1e-3, atol=0)


@torch.no_grad()
def test_lpips_of_small_grey_images(weights: Path, alexnet_features: nn.Sequential) -> None:
    images = torch.rand(2, 1, 8, 8)
    larger = nn.functional.interpolate(images, (64, 64), mode="bilinear").repeat(1, 3, 1, 1)
    expected = reference_lpips(alexnet_features, 0.5 * larger, larger)
    torch.testing.assert_close(
        lpips(darker(0.5, (1, 8, 8)), images, weights).float(), expected, rtol=1e-3, atol=0
    )


def test_lpips_of_an_image_with_itself_is_nothing(weights: Path) -> None:
    images = torch.randint(256, (2, 3, 32, 32), dtype=torch.uint8)
    assert lpips(darker(1, (3, 32, 32)), images, weights).tolist() == pytest.approx(
        [0, 0], abs=1e-9
    )


def test_lpips_does_not_depend_on_the_batches(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = torch.randint(256, (5, 1, 28, 28), dtype=torch.uint8)
    model = darker(0.5, (1, 28, 28))
    state = torch.get_rng_state()
    whole = lpips(model, images, weights)
    assert torch.equal(torch.get_rng_state(), state)
    monkeypatch.setattr(perceptual, "BATCH", 2)
    split = lpips(model, Images(images, torch.full((5,), -1)), weights)
    assert split.shape == (5,)
    torch.testing.assert_close(split, whole, rtol=1e-4, atol=1e-7)


class Pixels(nn.Module):
    """In place of Inception: 12 of the numbers of an image that it is given."""

    def forward(self, images: Tensor) -> tuple[Tensor]:
        assert images.dtype == torch.uint8
        assert images.shape[1] == 3
        return (images.flatten(1)[:, 3:15].float() / 255,)


@pytest.fixture
def pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perceptual, "inception_network", lambda weights: Pixels())


def test_distances_are_those_of_the_features(pixels: None, monkeypatch: pytest.MonkeyPatch) -> None:
    real = torch.randint(256, (40, 3, 8, 8), dtype=torch.uint8)
    generated = torch.rand(30, 3, 8, 8) * 1.2 - 0.1
    distances = inception_distances(real, {"model": [generated], "itself": [real / 255]})["model"]
    a = real.flatten(1)[:, 3:15].double() / 255
    b = (generated.clamp(0, 1) * 255).round().flatten(1)[:, 3:15].double() / 255
    assert distances.fid == pytest.approx(frechet_distance(a, b), rel=1e-5)
    assert (distances.kid, distances.kid_error) == pytest.approx(kernel_distance(a, b), rel=1e-5)
    monkeypatch.setattr(perceptual, "BATCH", 7)
    split = inception_distances(
        Images(real, torch.full((40,), -1)), {"model": iter(torch.split(generated, 11))}
    )
    assert split["model"] == pytest.approx(distances, rel=1e-5)


def test_a_set_is_at_no_distance_from_itself(pixels: None) -> None:
    grey = torch.randint(256, (40, 1, 8, 8), dtype=torch.uint8)
    # Every 8-bit value survives the way to floating point and back.
    distances = inception_distances(grey, {"itself": [grey / 255]})["itself"]
    assert distances.fid == pytest.approx(0, abs=1e-9)
    assert abs(distances.kid) < 3 * distances.kid_error


def test_the_kernel_distance_is_its_double_sum() -> None:
    a, b = torch.randn(4, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64) + 1
    subsets_a, subsets_b = torch.combinations(torch.arange(4)), torch.combinations(torch.arange(5))

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y / 3 + 1) ** 3

    values = []
    for i, j in subsets_a:
        for k, m in subsets_b:
            across = torch.stack([kernel(a[s], b[t]) for s in (i, j) for t in (k, m)])
            values.append(kernel(a[i], a[j]) + kernel(b[k], b[m]) - 2 * across.mean())
    every = torch.stack(values)
    mean, error = kernel_distance(a, b)
    assert abs(mean - float(every.mean())) < 4 * float(every.std()) / 10
    assert error == pytest.approx(float(every.std()), rel=0.5)
    assert (mean, error) == kernel_distance(a, b)


def test_four_images_are_the_least() -> None:
    with pytest.raises(
        ValueError, match="Sets of 9 and 3 images: the kernel Inception distance takes at least 4"
    ):
        kernel_distance(torch.zeros(9, 2), torch.zeros(3, 2))


def test_the_network_is_torch_fidelitys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    extractor = fidelity.FeatureExtractorInceptionV3
    with monkeypatch.context() as patch:
        patch.setattr(fidelity, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(extractor, "load_state_dict", lambda *_: None)
        original = extractor("inception-v3-compat", ["2048"])
    torch.save(original.state_dict(), tmp_path / name_of(INCEPTION))
    network = inception_network(tmp_path)
    image = torch.randint(256, (1, 3, 16, 16), dtype=torch.uint8)
    features = inception_features(network, image)
    assert features.shape == (1, 2048)
    torch.testing.assert_close(features, original(image)[0])


def test_the_names_are_the_libraries_own() -> None:
    from torchvision.models import AlexNet_Weights

    assert AlexNet_Weights.DEFAULT.url == ALEXNET
    fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    assert fidelity.URL_INCEPTION_V3 == INCEPTION


def of_alexnet(weights: Path | None) -> None:
    lpips(darker(1, (3, 64, 64)), torch.zeros(1, 3, 64, 64), weights)


def of_inception(weights: Path | None) -> None:
    inception_distances(torch.zeros(4, 3, 8, 8), {"model": [torch.zeros(4, 3, 8, 8)]}, weights)


ELSE = ", or name the folder that it is in (evaluate.py: weights=)."
Use = Callable[[Path | None], None]
BOTH = pytest.mark.parametrize(("use", "url"), [(of_alexnet, ALEXNET), (of_inception, INCEPTION)])


@BOTH
def test_missing_weights_are_named_and_not_downloaded(
    use: Use, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch_fidelity")
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_: pytest.fail("downloaded"))
    with pytest.raises(UserError) as error:
        use(tmp_path)
    assert str(error.value) == (
        f"{name_of(url)} is missing. Get it by hand from {url} and put it, as it is, into "
        f"{tmp_path}{ELSE}"
    )


@BOTH
def test_without_a_network_the_user_is_told_what_to_do(
    use: Use, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch_fidelity")

    def unreachable(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(UserError) as error:
        use(None)
    assert str(error.value) == (
        f"{name_of(url)} is missing and cannot be downloaded (<urlopen error no route to host>). "
        f"Get it by hand from {url} and put it, as it is, into {tmp_path / 'checkpoints'}{ELSE}"
    )


def test_a_download_is_verified_and_used(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    downloads = []

    def download(url: str, target: str, hash_prefix: str) -> None:
        downloads.append((url, hash_prefix))
        Path(target).write_bytes((weights / name_of(ALEXNET)).read_bytes())

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "cache"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    of_alexnet(None)
    of_alexnet(None)
    assert downloads == [(ALEXNET, "7be5be79")]


@BOTH
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", "code", "other weights"])
def test_damaged_weights_are_named(
    use: Use, url: str, content: bytes | str, tmp_path: Path
) -> None:
    pytest.importorskip("torch_fidelity")
    path = tmp_path / name_of(url)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save({"features.0.weight": tmp_path if content == "code" else torch.zeros(2)}, path)
    with pytest.raises(UserError) as error:
        use(tmp_path)
    assert str(error.value) == (
        f"{path} does not hold the weights of that name. Replace it by a whole copy of {url}"
    )


def test_without_torch_fidelity_the_user_is_told_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(
        UserError,
        match=r"^FID and KID need torch-fidelity: pip install torch-fidelity, or .* "
        r"`perceptual`\.$",
    ):
        of_inception(tmp_path)


def test_lpips_is_torchmetrics_own(
    tmp_path: Path, alexnet_features: nn.Sequential, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both take the weights from PyTorch's cache."""
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
    from torchvision.models import AlexNet

    state = {f"features.{name}": tensor for name, tensor in alexnet_features.state_dict().items()}
    with torch.device("meta"):
        shapes = {name: own.shape for name, own in AlexNet().state_dict().items()}
    # Of the classifier, which LPIPS does not use, one number that is seen everywhere.
    unused = {name: torch.zeros(()).expand(own) for name, own in shapes.items()}
    (tmp_path / "checkpoints").mkdir()
    torch.save(unused | state, tmp_path / "checkpoints" / name_of(ALEXNET))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_: pytest.fail("downloaded"))

    images = torch.rand(4, 3, 64, 64)
    distances = lpips(darker(0.6, (3, 64, 64)), images, download_cache())
    theirs = LearnedPerceptualImagePatchSimilarity("alex", normalize=True)
    with torch.no_grad():
        expected = theirs(0.6 * images, images)
    assert float(distances.mean()) == pytest.approx(float(expected), rel=1e-5)
    assert float(expected) > 1e-3
