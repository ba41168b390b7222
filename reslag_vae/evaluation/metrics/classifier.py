"""A small classifier of a data set's own images, the basis of a download-free Fréchet distance.

That distance is a *classifier Fréchet distance*. It is not FID, which uses the features of
Inception, and the two do not compare; nor do distances on two data sets, or by two classifiers.
`cached_classifier` keeps the classifier that measures all models of a data set.
"""

import io
import logging
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reslag_vae._runtime.errors import first_line
from reslag_vae._runtime.files import write_atomically
from reslag_vae.data import Images
from reslag_vae.evaluation.iteration import check_seed, checked_images, chunks
from reslag_vae.evaluation.progress import Progress, silent
from reslag_vae.likelihoods.pixels import unit_interval
from reslag_vae.models.number_inputs import check_count

log = logging.getLogger(__name__)

VERSION = 1  # raise it when the network or its training changes
WIDTHS = (32, 64, 96)
# Twice as many images as FashionMNIST has, whatever the size of the data set.
STEPS, BATCH, RATE = 900, 128, 1e-2


class Classifier(nn.Module):
    """A network of three strided convolutions, a mean over places, and a linear layer.

    The means over places are the features.

    Args:
        image_shape: (C, H, W) of the images, with sides of at least 8.
        outputs: number of classes, or of attributes that an image has or has not.
    """

    def __init__(self, image_shape: tuple[int, int, int], outputs: int) -> None:
        super().__init__()
        self.image_shape, self.outputs = image_shape, outputs
        widths = pairwise((image_shape[0], *WIDTHS))
        self.body = nn.Sequential(*[_stage(inputs, outputs) for inputs, outputs in widths])
        self.head = nn.Linear(WIDTHS[-1], outputs)

    def embed(self, images: Tensor) -> Tensor:
        """Return (B, f) features of (B, C, H, W) images in [0, 1]."""
        embedded: Tensor = self.body(images).mean((2, 3))
        return embedded

    def forward(self, images: Tensor) -> Tensor:
        """Return (B, outputs) logits of (B, C, H, W) images in [0, 1]."""
        logits: Tensor = self.head(self.embed(images))
        return logits

    @torch.no_grad()
    def features(self, images: Tensor | Images, progress: Progress = silent) -> Tensor:
        """Return (N, f) features of images, in float64 on the CPU.

        The images are (N, C, H, W), uint8 or floating point in [0, 1].
        """
        parts = []
        with progress("features of the classifier", len(images)) as advance:
            for part in chunks(images, self.head.weight.device):
                parts.append(self.embed(part.to(self.head.weight.dtype)).double().cpu())
                advance(len(part))
        return torch.cat(parts)

    @torch.no_grad()
    def accuracy(
        self, images: Tensor | Images, labels: Tensor, progress: Progress = silent
    ) -> float:
        """Return the share of right answers.

        An image counts once if the labels are classes, and once for each attribute otherwise.

        Args:
            images: (N, C, H, W) uint8, or floating point in [0, 1].
            labels: (N,) int64 class numbers, or (N, outputs) bool attributes.
            progress: shows how many images are done.
        """
        answers = self.answers(self.features(images, progress), labels.dim() == 1)
        return float((answers == labels).double().mean())

    @torch.no_grad()
    def answers(self, features: Tensor, classes: bool) -> Tensor:
        """Return the (N,) classes of images, or their (N, outputs) bool attributes, on the CPU.

        Args:
            features: (N, f) features of the images.
            classes: whether an image is of one class.
        """
        logits: Tensor = self.head(features.to(self.head.weight)).cpu()
        return logits.argmax(1) if classes else logits > 0


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


def train_classifier(
    images: Tensor | Images,
    labels: Tensor,
    outputs: int,
    seed: int = 0,
    progress: Progress = silent,
) -> Classifier:
    """Train a classifier by Adam with one cycle of the learning rate, on cross entropy.

    The cycle is that of Smith & Topin 2019, https://arxiv.org/abs/1708.07120. Training takes 900
    minibatches of 128 images drawn with replacement, whatever the size of the data set, and no
    augmentation. It runs on the CPU, gives the same classifier for the same seed, data and number
    of threads, and leaves the global random state unchanged.

    Args:
        images: (N, C, H, W) uint8, or floating point in [0, 1].
        labels: (N,) int64 class numbers, or (N, outputs) bool attributes, with a binary cross
            entropy for each.
        outputs: number of classes, or of attributes.
        seed: seed of the first weights and of the minibatches.
        progress: shows how many minibatches are done.

    Raises:
        ValueError: the labels do not match the images or the outputs.
    """
    images = checked_images(images)
    seed = check_seed(seed)
    _check(labels, len(images), outputs)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        classifier = Classifier(_shape(images), outputs).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS)
    rows = torch.randint(len(images), (STEPS, BATCH), generator=torch.Generator().manual_seed(seed))
    with progress("training the classifier", STEPS) as advance:
        for chosen in rows:
            part = images[chosen].images if isinstance(images, Images) else images[chosen]
            loss = _loss(classifier(unit_interval(part).float()), labels[chosen])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            advance(1)
    return classifier.eval()


def _shape(images: Tensor | Images) -> tuple[int, int, int]:
    channels, height, width = (images.store if isinstance(images, Images) else images).shape[1:]
    return channels, height, width


def _check(labels: Tensor, count: int, outputs: int) -> None:
    outputs = check_count("outputs", outputs)
    if not isinstance(labels, Tensor) or labels.dim() not in (1, 2) or labels.is_floating_point():
        raise ValueError(
            "labels: a tensor of (N,) class numbers or (N, outputs) attributes is wanted."
        )
    if len(labels) != count:
        raise ValueError(f"{count} images have {len(labels)} labels.")
    if labels.dim() == 2 and labels.shape[1] != outputs:
        raise ValueError(f"outputs={outputs}: the labels have {labels.shape[1]} attributes.")
    if labels.dim() == 1 and not 0 <= int(labels.min()) <= int(labels.max()) < outputs:
        raise ValueError(
            f"outputs={outputs}: the class numbers reach from {labels.min()} to {labels.max()}."
        )


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    if labels.dim() == 1:
        return F.cross_entropy(logits, labels)
    return F.binary_cross_entropy_with_logits(logits, labels.to(logits))


def cached_classifier(
    path: Path, image_shape: tuple[int, int, int], outputs: int, train: Callable[[], Classifier]
) -> Classifier:
    """Return the classifier in a file, trained first if there is none.

    All models of a data set share it. A file that is damaged, or of another shape, number of
    outputs or version, is replaced, and the log says so.

    Args:
        path: the file; its folder is created if it is missing.
        image_shape: (C, H, W) of the images that it must classify.
        outputs: number of outputs that it must have.
        train: function that trains a new classifier on the CPU.
    """
    kind = {"version": VERSION, "image_shape": list(image_shape), "outputs": outputs}
    if path.exists():
        try:
            return _restored(torch.load(path, map_location="cpu", weights_only=True), kind)
        except Exception as error:  # damaged bytes fail anywhere in the reader, with any exception
            log.warning(
                "The classifier in %s is trained anew, for it cannot be used: %s",
                path,
                first_line(error),
            )
    classifier = train()
    data = io.BytesIO()
    torch.save(kind | {"state_dict": classifier.state_dict()}, data)
    write_atomically(path, data.getvalue())
    return classifier


def _restored(saved: dict[str, Any], kind: dict[str, Any]) -> Classifier:
    state = saved.pop("state_dict")
    if saved != kind:
        raise ValueError(f"it is {saved}, not {kind}")
    channels, height, width = kind["image_shape"]
    classifier = Classifier((channels, height, width), kind["outputs"]).to(
        memory_format=torch.channels_last
    )
    classifier.load_state_dict(state)
    return classifier.eval()
