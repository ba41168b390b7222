"""How a model is evaluated: minibatch by minibatch, with the same noise every time, on one common yardstick."""

import torch
from torch import Tensor

from reslag_vae.latents.gaussian import DiagonalGaussian, normal_rows
from reslag_vae.latents.statistics import LatentStatistics
from reslag_vae.models.latent_variable_model import LatentVariableModel
from reslag_vae.objectives.averages import Means
from reslag_vae.objectives.base import bits_per_dim, gaussian_elbo
from reslag_vae.records import Batch, Terms

EVALUATION_SEED = 0


class EvaluatedModel(LatentVariableModel):
    """`begin_evaluation`, then `evaluate_batch` for each minibatch, then `end_evaluation` for the metrics.

    Attributes:
        train_mse: () mean squared error per number on the training split, the common yardstick's
            variance.
        latent_statistics: of the posteriors taken in.
    """

    train_mse: Tensor

    def begin_evaluation(self) -> None:
        """Forget earlier evaluations; the noise is the same in every one."""
        self.evaluation_means, self.latent_statistics = Means(), LatentStatistics()
        self.evaluation_noise = torch.Generator().manual_seed(EVALUATION_SEED)
        self.evaluation_prior = torch.Generator().manual_seed(EVALUATION_SEED + 1)

    def pass_over(self, count: int) -> None:
        """Leave `count` images to another process: the noise of those that follow is that of one process for all."""
        self._fixed_noise(count, self.evaluation_noise)
        if self.objective.draws_prior:
            self._fixed_noise(count, self.evaluation_prior)

    @torch.no_grad()
    def evaluate_batch(self, batch: Batch) -> Terms:
        """Take in one minibatch.

        The result of an evaluation does not depend on how its images are batched, but for the MMD,
        a statistic of the minibatch.
        """
        count = len(batch.images)
        noise = self._fixed_noise(count, self.evaluation_noise)
        prior = (
            self._fixed_noise(count, self.evaluation_prior) if self.objective.draws_prior else None
        )
        terms, posterior, latents = self.all_terms(batch.images, noise, prior)
        self.evaluation_means.add(terms)
        if isinstance(posterior, DiagonalGaussian) and terms.kl is not None:
            self.latent_statistics.add(posterior, latents, terms.kl)
        return terms

    def _fixed_noise(self, count: int, generator: torch.Generator) -> Tensor:
        return normal_rows(count, self.network.latent_dim, generator).to(self.train_mse.device)

    def share_evaluation(self) -> None:
        """Take in what the other processes have taken in, turn by turn; each must do so."""
        self.evaluation_means = self.evaluation_means.of_all(in_turns=True)
        self.latent_statistics = self.latent_statistics.of_all()

    def end_evaluation(self) -> dict[str, float]:
        """Means over all images taken in since `begin_evaluation`, by name (README: what is logged)."""
        metrics = self.with_yardstick(self.evaluation_means.read())
        if self.latent_statistics.count:
            information, ceiling = self.latent_statistics.mutual_information()
            metrics["active_units"] = float(self.latent_statistics.active().sum())
            metrics["mutual_information"] = information
            metrics["mutual_information_ceiling"] = ceiling
        return metrics

    def with_yardstick(self, means: dict[str, float]) -> dict[str, float]:
        """With the KL per dimension, the equivalent variance and the ELBO that all variants share."""
        if not means:
            return means
        equivalent = self.objective.equivalent_sigma2(self.network.latent_dim)
        if equivalent is not None:
            means = means | {"sigma2": equivalent}
        if "kl" not in means:
            return means
        elbo = gaussian_elbo(means["rec"], means["kl"], float(self.train_mse), self.dimensions)
        return means | {
            "kl_per_dim": means["kl"] / self.network.latent_dim,
            "elbo": elbo,
            "bits_per_dim": bits_per_dim(elbo, self.dimensions),
        }
