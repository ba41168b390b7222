"""The interface of a likelihood: from the decoder's output to nats, and back to images."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from reslag_vae._runtime.described import Described


class Distortion(NamedTuple):
    """The cost of the images of a minibatch under a likelihood.

    Attributes:
        nll: (B,) negative log-likelihood as it is trained, perhaps without constants (see
            `formula`).
        rec: (B,) sums of squared errors of the likelihood's mean over the C·H·W pixels in [0, 1],
            or where it has none, of each pixel's mean given the pixels before it.
        extras: further tensors by name, logged as their means over images.
    """

    nll: Tensor
    rec: Tensor
    extras: dict[str, Tensor]


class Likelihood(Described, nn.Module, ABC):
    """A density or mass p(x|z) of images, given the decoder's output.

    Its parameters belong to the generative group. In training mode a variance may come from the
    minibatch; in evaluation mode it comes from earlier calls of `observe`.

    Attributes:
        name: name of the likelihood, as in `likelihood=<name>` on the command line.
        provides: capabilities that other parts and variants may require.
        discrete: whether `log_prob` is that of a mass: nats that compare with other codes of x.
        binary: whether pixels must be 0 or 1.
        has_mean: whether `mean` is known; if not, an image is shown by a sample.
        for_greys: option that has a binary likelihood take greys; None if there is none.
        parameters_per_channel: channels that the network gives for each channel of the image.
    """

    name: str
    provides: frozenset[str] = frozenset()
    discrete: ClassVar[bool] = False
    binary: bool = False
    has_mean: ClassVar[bool] = True
    for_greys: str | None = None
    parameters_per_channel: int = 1

    @property
    @abstractmethod
    def formula(self) -> str:
        """The distortion of an image as a line of text, in the symbols of the objective card."""

    @property
    def notes(self) -> dict[str, str]:
        """Further lines of the objective card: label -> text."""
        return {}

    @abstractmethod
    def link(self, outputs: Tensor) -> Tensor:
        """Return the (B, P, H, W) parameters that the network's outputs of that shape stand for.

        It runs in the network's precision; all else in that of the images.
        """

    @abstractmethod
    def forward(self, images: Tensor, parameters: Tensor) -> Distortion:
        """Return the cost of images.

        Args:
            images: (B, C, H, W) floating point in [0, 1].
            parameters: (B, P, H, W) parameters, from `link`.
        """

    @abstractmethod
    def log_prob(self, images: Tensor, parameters: Tensor) -> Tensor:
        """Return the (B,) log-likelihood of images in nats, with every constant.

        Args:
            images: (B, C, H, W) floating point in [0, 1].
            parameters: (B, P, H, W) parameters, from `link`.
        """

    @abstractmethod
    def mean(self, parameters: Tensor) -> Tensor | None:
        """Return the (B, C, H, W) mean images of (B, P, H, W) parameters.

        None where `has_mean` is false.
        """

    def image(self, parameters: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the (B, C, H, W) images by which parameters are shown.

        They are the means or, where there are none, samples.

        Args:
            parameters: (B, P, H, W).
            generator: of the samples, on the CPU; None draws the same numbers at each call.
        """
        mean = self.mean(parameters)
        if mean is not None:
            return mean
        source = torch.Generator().manual_seed(0) if generator is None else generator
        return self.sample(parameters, source)

    @abstractmethod
    def sample(self, parameters: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw (B, C, H, W) images from (B, P, H, W) parameters."""

    @abstractmethod
    def divergence(self, parameters: Tensor, others: Tensor) -> Tensor:
        """Return the (B,) KL(p(x|z) || p(x|z')) in nats.

        If both directions differ, it is their mean. It may be an unbiased estimate.

        Args:
            parameters: (B, P, H, W) parameters of z.
            others: (B, P, H, W) parameters of z'.
        """

    @property
    def sigma2(self) -> Tensor | None:
        """The variance at evaluation, broadcastable to (1, C, H, W); None if there is none."""
        return None

    def observe(self, extras: dict[str, Tensor]) -> None:
        """Note the extras of a training minibatch that updates the generative group.

        Args:
            extras: extras of the minibatch's `Distortion`.
        """

    def equivalent_sigma2(self, kl_weight: float | None) -> float | None:
        """Return the variance that the weight of the KL implies; None if it implies none.

        Args:
            kl_weight: weight of the KL, as for `evaluated`.
        """
        return None

    def evaluated(self, kl_weight: float | None) -> "Likelihood | None":
        """Return the density that evaluations use; None if training implies none.

        Args:
            kl_weight: weight of the KL in nats, beside the distortion's weight of 1; None if the
                objective has no such weight.
        """
        return self


class Sigmoid(Likelihood):
    """A likelihood whose parameters are its means, in (0, 1)."""

    def link(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid()

    def mean(self, parameters: Tensor) -> Tensor:
        return parameters


def squared_error(images: Tensor, reconstruction: Tensor) -> Tensor:
    """Return the (B,) sums of squared errors over all pixels of (B, C, H, W) images."""
    return (reconstruction - images).square().flatten(1).sum(1)
