"""Networks trained on ImageNet, whose features the perceptual distances compare.

Their weights are downloaded once into PyTorch's own cache, or are files of their original names in
a folder of the user's; then nothing is downloaded.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import torch
from torch import nn

from reslag_vae._runtime.errors import UserError

ALEXNET = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
INCEPTION = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)


def prepare(weights: Path | None, inception: bool) -> None:
    """Check that the networks can be loaded, and download their weights if necessary.

    Args:
        weights: folder of the weights; None downloads them.
        inception: whether Inception is needed beside the network of LPIPS.

    Raises:
        UserError: torch-fidelity is not installed; the weights are missing or damaged, or cannot be
            downloaded.
    """
    lpips_network(weights)
    if inception:
        inception_network(weights)


def download_cache() -> Path:
    """Return the folder of PyTorch's own cache of downloaded weights."""
    return Path(torch.hub.get_dir(), "checkpoints")


def lpips_network(weights: Path | None) -> nn.Module:
    """Return the network of LPIPS, with AlexNet's weights and the linear ones of version 0.1.

    Args:
        weights: folder with `alexnet-owt-7be5be79.pth`; None downloads it.

    Raises:
        UserError: the weights are missing or damaged, or cannot be downloaded.
    """
    # The public class takes AlexNet's weights from torchvision's download and from nowhere else.
    from torchmetrics.functional.image.lpips import _NoTrainLpips

    path = weights_file(ALEXNET, weights)
    with refusing_damage(path, ALEXNET), torch.random.fork_rng(devices=[]):
        network = _NoTrainLpips(net="alex", pnet_rand=True)
        state = torch.load(path, map_location="cpu", weights_only=True)
        # `slice3.6.weight` here is `features.6.weight` there.
        own = network.net.state_dict()
        network.net.load_state_dict(
            {name: state[f"features.{name.split('.', 1)[1]}"] for name in own}
        )
    return network


def inception_network(weights: Path | None) -> nn.Module:
    """Return the original FID's Inception network, which gives (B, 2048) features of uint8 images.

    Args:
        weights: folder with `weights-inception-2015-12-05-6726825d.pth`; None downloads it.

    Raises:
        UserError: torch-fidelity is not installed; the weights are missing or damaged, or cannot be
            downloaded.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError:
        raise UserError(
            "FID and KID need torch-fidelity: pip install torch-fidelity, or this package with its "
            "extra `perceptual`."
        ) from None
    path = weights_file(INCEPTION, weights)
    with refusing_damage(path, INCEPTION), torch.random.fork_rng(devices=[]):
        # torch-fidelity would run whatever code the file holds; this refuses a file with any.
        torch.load(path, map_location="cpu", weights_only=True)
        network: nn.Module = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(path))
    return network


def weights_file(url: str, weights: Path | None) -> Path:
    """Return the file of some weights, downloaded if no folder is given and it is not there yet.

    Args:
        url: address of the file, whose name is that of the download.
        weights: folder that holds the file; None is PyTorch's own cache.

    Raises:
        UserError: the file is missing, or cannot be downloaded.
    """
    folder = download_cache() if weights is None else weights
    path, reason = folder / url.rsplit("/", 1)[1], ""
    if weights is None and not path.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), hash_prefix=path.stem.rsplit("-", 1)[1])
        except (OSError, RuntimeError, HTTPException) as error:
            reason = f" and cannot be downloaded ({error})"
    if not path.is_file():
        raise UserError(
            f"{path.name} is missing{reason}. Get it by hand from {url} and put it, as it is, into "
            f"{folder.absolute()}, or name the folder that it is in (evaluate.py: weights=)."
        )
    return path


@contextmanager
def refusing_damage(path: Path, url: str) -> Iterator[None]:
    """Name the file and its source where its weights cannot be loaded within the context.

    Raises:
        UserError: the file does not hold these weights.
    """
    try:
        yield
    except Exception:  # damaged bytes fail anywhere in the reader, with any exception
        raise UserError(
            f"{path} does not hold the weights of that name. Replace it by a whole copy of {url}"
        ) from None
