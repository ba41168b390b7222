"""The interface of an objective: named, per-image, unreduced terms of one minibatch."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn

from reslag_vae.latents.gaussian import Posterior
from reslag_vae.records import Terms

Nats = TypeVar("Nats", float, Tensor)


class Objective(nn.Module, ABC):
    """A function of a minibatch, its reconstruction and its posterior.

    Objectives know nothing of networks, schedules or trainers. In training mode a variance may come
    from the minibatch; in evaluation mode it comes from buffers that `observe` filled during
    training.

    Attributes:
        name: as in `objective=<name>` on the command line.
        draws_prior: whether `forward` needs samples of the prior.
    """

    name: ClassVar[str]
    draws_prior: ClassVar[bool] = False

    @abstractmethod
    def forward(
        self,
        images: Tensor,
        reconstruction: Tensor,
        posterior: Posterior,
        latents: Tensor,
        prior: Tensor | None = None,
    ) -> Terms:
        """The terms of a minibatch.

        Args:
            images: (B, C, H, W) floating point in [0, 1].
            reconstruction: (B, C, H, W) mean of the likelihood.
            posterior: of the B codes.
            latents: (B, d) one sample of the posterior.
            prior: (B, d) samples of N(0, I), where `draws_prior`; in training as many as all
                processes have images.
        """

    @property
    @abstractmethod
    def formula(self) -> str:
        """The per-image loss as a line of text, in the symbols of the objective card."""

    @property
    def notes(self) -> dict[str, str]:
        """Further lines of the objective card: label -> text."""
        return {}

    @property
    def needs_density(self) -> bool:
        """Whether the loss holds a KL, so that the posterior must not be a point."""
        return True

    def equivalent_sigma2(self, latent_dim: int) -> float | None:
        """The likelihood variance whose ELBO has the same optimum, for a loss Rec + beta·KL: beta = 2·sigma2."""
        return None

    def likelihood_variance(self, latent_dim: int) -> Tensor | None:
        """The variance of the Gaussian likelihood at evaluation, broadcastable to (1, C, H, W); None if there is none.

        For a loss Rec + beta·KL it is the equivalent one.
        """
        value = self.equivalent_sigma2(latent_dim)
        return None if value is None else torch.tensor([[[[value]]]])

    def check_length(self, max_epochs: int) -> None:
        """Refuse a run that is too short for this objective.

        Raises:
            ValueError: saying how long it must be.
        """

    def begin_epoch(self, epoch: int) -> None:
        """Called before each training epoch (from 0)."""

    def observe(self, terms: Terms) -> None:
        """Take note of a training minibatch in the step that updates the generative group."""


def squared_error(images: Tensor, reconstruction: Tensor) -> Tensor:
    """(B,) sum of squared errors over all pixels."""
    return (reconstruction - images).square().flatten(1).sum(1)


def require_kl(posterior: Posterior) -> Tensor:
    """(B, d) KL to the prior in nats.

    Raises:
        TypeError: the posterior is a point and has none.
    """
    kl = posterior.kl()
    if kl is None:
        raise TypeError(
            "This objective holds a KL, and a point posterior (model=autoencoder) has none."
        )
    return kl


def gaussian_elbo(rec: float, kl: float, sigma2: float, dimensions: int) -> float:
    """ELBO in nats per image under one global likelihood variance, with the 2·pi term: the common yardstick.

    Linear in `rec` and `kl`, so that their means over images give the mean ELBO. Minus infinity for
    a variance of zero, unless the reconstruction is perfect, where no density exists.

    Args:
        rec: sum of squared errors.
        kl: nats.
        sigma2: the variance, the mean squared error per pixel of the training split.
        dimensions: D, the numbers in an image.
    """
    if sigma2 <= 0:
        return -math.inf
    return -(dimensions * math.log(2 * math.pi * sigma2) + rec / sigma2) / 2 - kl


def bits_per_dim(elbo: Nats, dimensions: int) -> Nats:
    """Bits per pixel and channel of 8-bit images, from an ELBO, or one of each image, in nats on the [0, 1] scale.

    -elbo / (D ln 2) + 8: the density rescaled to 256 grey levels, without dequantisation noise.
    """
    return -elbo / (dimensions * math.log(2)) + 8
