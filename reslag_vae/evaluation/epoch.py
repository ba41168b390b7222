"""The losses of a whole split, minibatch by minibatch, with the same noise every time."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from reslag_vae.data.images import Batch
from reslag_vae.evaluation.iteration import device_of, evaluating, shifts_of
from reslag_vae.latents import LatentStatistics
from reslag_vae.latents.inferred import joined
from reslag_vae.latents.noise import normal_rows
from reslag_vae.likelihoods.gaussian import gaussian_elbo
from reslag_vae.likelihoods.pixels import bits_per_dim, unit_interval
from reslag_vae.models import GenerativeModel
from reslag_vae.models.card import equivalent_sigma2
from reslag_vae.models.terms import compute_terms, told_labels
from reslag_vae.objectives import Objective, Terms
from reslag_vae.objectives.averages import Means

EVALUATION_SEED = 0


class EvaluationEpoch:
    """One pass over a split: `add` each minibatch, then read the `metrics`.

    Args:
        model: the evaluated model.
        objective: the objective whose loss is measured.

    Attributes:
        means: means of the terms over the images of all minibatches added.
        latents: statistics of their posteriors.
    """

    def __init__(self, model: GenerativeModel, objective: Objective) -> None:
        self.model, self.objective = model, objective
        self.means, self.latents = Means(), LatentStatistics()
        self.noise = torch.Generator().manual_seed(EVALUATION_SEED)
        self.prior_noise = torch.Generator().manual_seed(EVALUATION_SEED + 1)

    def skip(self, batches: int, size: int) -> None:
        """Leave minibatches to other processes.

        The noise of the images that follow is that of one process for all.

        Args:
            batches: number of the minibatches.
            size: number of images in each.
        """
        for _ in range(batches):
            self._draw(size)

    @torch.no_grad()
    def add(self, batch: Batch) -> Terms:
        """Add one minibatch to the evaluation, and return its terms for each image.

        The result of an evaluation does not depend on how its images are batched, but for the MMD,
        a statistic of the minibatch.
        """
        noise, rows = self._draw(len(batch.images))
        prior = None if rows is None else joined(self.model.from_noise(rows))
        model = told_labels(self.model, batch.labels)
        terms, inferred = compute_terms(model, self.objective, batch.images, noise, prior)
        self.means.add(terms)
        if terms.kl is not None and self.model.latent_dim:
            shifts = shifts_of(model, unit_interval(batch.images), inferred)
            self.latents.add(inferred, terms.kl, shifts)
        return terms

    def _draw(self, count: int) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...] | None]:
        """Draw the noise of each level, and the prior's where the objective needs samples of it."""
        noise = self._rows(count, self.model.level_dims, self.noise)
        if not self.objective.draws_prior:
            return noise, None
        own = self.objective.prior_count(count)
        rows = self._rows(own, self.model.noise_dims, self.prior_noise)
        return noise, rows

    def _rows(
        self, count: int, widths: tuple[int, ...], generator: torch.Generator
    ) -> tuple[Tensor, ...]:
        """Draw (count, width) normal numbers for each level, on the model's device.

        All levels of an image are drawn together: the same numbers in batches of any size.
        """
        rows = normal_rows(count, sum(widths), generator).to(self.model.parameter.device)
        return torch.split(rows, list(widths), dim=1)

    def gathered(self) -> "EvaluationEpoch":
        """Return the evaluation with the minibatches of all processes, in turns.

        Each process must call it.
        """
        whole = EvaluationEpoch(self.model, self.objective)
        whole.means = self.means.gathered(in_turns=True)
        whole.latents = self.latents.gathered()
        return whole

    def metrics(self, train_mse: float) -> dict[str, float]:
        """Return the means over all images added, by name as they are logged.

        Args:
            train_mse: mean squared error per number on the training split, which is the variance of
                the yardstick.
        """
        own = with_yardstick(self.means.read(), self.model, self.objective, train_mse)
        return own | self.latents.metrics()


def with_yardstick(
    means: dict[str, float], model: GenerativeModel, objective: Objective, train_mse: float
) -> dict[str, float]:
    """Return means with the KL per dimension, the equivalent variance and the ELBO.

    The ELBO of images of greys is that of one global Gaussian variance, the yardstick that all
    variants share. Under the likelihood of a mass it is the model's own.

    Args:
        means: means of the terms by name; empty means stay empty.
        model: the evaluated model.
        objective: the objective whose terms they are.
        train_mse: the variance of the yardstick.
    """
    if not means:
        return means
    equivalent = equivalent_sigma2(model, objective)
    if equivalent is not None:
        means = means | {"sigma2": equivalent}
    if "kl" not in means:
        return means
    discrete = model.likelihood.discrete
    if discrete:
        elbo = -means["distortion"] - means["kl"]
    else:
        elbo = gaussian_elbo(means["rec"], means["kl"], train_mse, model.dimensions)
    own = {"elbo": elbo, "bits_per_dim": bits_per_dim(elbo, model.dimensions, discrete)}
    if model.latent_dim:
        own = {"kl_per_dim": means["kl"] / model.latent_dim} | own
    return means | own


def evaluate(
    model: GenerativeModel,
    objective: Objective,
    batches: Iterable[Batch],
    each: Callable[[Terms], object] = lambda _: None,
) -> EvaluationEpoch:
    """Return an evaluation of all minibatches, with the same noise at every call.

    Model and objective are in evaluation mode meanwhile.

    Args:
        model: the evaluated model.
        objective: the objective whose loss is measured.
        batches: minibatches of images.
        each: function that is given the per-image terms of each minibatch.
    """
    device, training = device_of(model), objective.training
    epoch = EvaluationEpoch(model, objective)
    objective.eval()
    try:
        with evaluating(model):
            for images, labels in batches:
                each(epoch.add(Batch(images.to(device), labels.to(device))))
    finally:
        objective.train(training)
    return epoch


def measure_yardstick(
    model: GenerativeModel, objective: Objective, train_batches: Iterable[Batch]
) -> float:
    """Return the mean squared error per number on the training split.

    It is the variance of the yardstick, the one Gaussian likelihood that all variants share.

    Args:
        model: the evaluated model.
        objective: the objective that it was trained with.
        train_batches: minibatches of the whole training split.
    """
    means = evaluate(model, objective, train_batches).means.read()
    return means["rec"] / model.dimensions
