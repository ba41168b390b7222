"""The interface of an objective, which weighs the terms of a minibatch and sees no image."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from reslag_vae._runtime.described import Described
from reslag_vae.latents import Inferred
from reslag_vae.latents.inferred import total
from reslag_vae.likelihoods import Distortion


class Terms(NamedTuple):
    """The named terms of an objective on one minibatch, for each image.

    Attributes:
        loss: (B,) loss, whose mean over images is minimised, in the objective's own unit (see its
            card).
        distortion: (B,) negative log-likelihood as it is trained (see the likelihood's formula).
        rec: (B,) sums of squared errors over the C·H·W pixels in [0, 1].
        kl: (B,) KL(q(z|x) || p(z)) in nats; None if the posterior is a point.
        extras: further tensors by name, logged as their means.
    """

    loss: Tensor
    distortion: Tensor
    rec: Tensor
    kl: Tensor | None
    extras: dict[str, Tensor]


class Objective(Described, nn.Module, ABC):
    """A function of the cost of images and of their latents.

    Objectives know nothing of images, networks, schedules or trainers.

    Attributes:
        name: name of the objective, as in `objective=<name>` on the command line.
        requires: capabilities that the other parts must provide.
        provides: capabilities that parts and variants may require: `divergence`, something holds
            the latent to the prior; `rate`, that is the KL of each posterior to it.
        usual_likelihood: name of the likelihood that `objective=<name>` chooses along.
        draws_prior: whether `forward` needs samples of the prior.
        averages_kl: whether the loss holds the KL averaged over dimensions, the thesis' Lat.
        beta: weight of the KL if it is set by hand, which distinguishes the runs of a sweep.
    """

    name: ClassVar[str]
    requires: frozenset[str] = frozenset()
    provides: frozenset[str] = frozenset()
    usual_likelihood: ClassVar[str] = "squared_error"
    draws_prior: ClassVar[bool] = False
    averages_kl: ClassVar[bool] = False
    beta: float | None = None

    @abstractmethod
    def forward(
        self, distortion: Distortion, inferred: Inferred, prior: Tensor | None = None
    ) -> Terms:
        """Return the terms of a minibatch.

        Args:
            distortion: cost of the B images.
            inferred: latents of the images.
            prior: (P, d) samples of the prior, if `draws_prior`: `prior_count` of the images, in
                training of those of all processes.
        """

    def prior_count(self, images: int) -> int:
        """Return P, the number of samples of the prior beside a minibatch.

        Args:
            images: number of images in the minibatch.
        """
        return images

    @abstractmethod
    def formula(self, distortion: str) -> str:
        """Return the loss of an image as a line of text, in the symbols of the objective card.

        Args:
            distortion: formula of the likelihood.
        """

    @property
    def notes(self) -> dict[str, str]:
        """Further lines of the objective card: label -> text."""
        return {}

    def kl_weight(self, latent_dim: int) -> float | None:
        """Return the weight of the KL in nats, summed over dimensions; that of the distortion is 1.

        It is None if the objective has no constant weight.
        """
        return None

    def check_length(self, max_epochs: int) -> None:
        """Refuse a run that is too short for this objective.

        Raises:
            ValueError: the message says how long the run must be.
        """

    def begin_epoch(self, epoch: int) -> None:
        """Note that a training epoch, counted from 0, is about to start."""

    def terms(
        self,
        loss: Tensor,
        distortion: Distortion,
        kl: Tensor | None,
        inferred: Inferred,
        extras: dict[str, Tensor] | None = None,
    ) -> Terms:
        """Return the terms of a minibatch; in training its latents' penalties are in the loss.

        An evaluation leaves them out: they help to train, and say nothing of the images, so that
        they must not choose the best epoch.

        Args:
            loss: (B,) loss without penalties.
            distortion: cost of the images.
            kl: (B,) KL in nats, or None.
            inferred: latents of the images.
            extras: further tensors of the objective by name.
        """
        if self.training:
            for penalty in inferred.penalties.values():
                loss = loss + penalty
        every = distortion.extras | inferred.penalties | (extras or {})
        return Terms(loss, distortion.nll, distortion.rec, kl, every)


def require_kl(inferred: Inferred) -> Tensor:
    """Return the (B,) KL to the prior in nats.

    Raises:
        TypeError: a posterior is a point, which has no KL.
    """
    return total(list(require_level_rates(inferred)))


def require_level_rates(inferred: Inferred) -> tuple[Tensor, ...]:
    """Return the (B,) KL of each level to its prior in nats.

    Raises:
        TypeError: a posterior is a point, which has no KL.
    """
    rates = inferred.level_rates()
    if not rates:
        raise TypeError(
            "This objective holds a KL, and a point posterior (model=autoencoder) has none."
        )
    return rates
