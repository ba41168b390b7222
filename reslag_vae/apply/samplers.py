"""Samplers of latents: a model's own prior, or a density that is fitted to codes."""

import copy
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from reslag_vae._runtime.errors import UserError
from reslag_vae.apply.request import FEWEST
from reslag_vae.evaluation.progress import Progress, silent
from reslag_vae.latents.estimated import EstimatedPrior
from reslag_vae.latents.flow import FlowPrior
from reslag_vae.latents.inferred import joined
from reslag_vae.latents.noise import normal_rows
from reslag_vae.latents.two_stage import TwoStagePrior
from reslag_vae.models import GenerativeModel


class Sampler(Protocol):
    """A sampler of latents."""

    def __call__(self, count: int, seed: int, temperature: float = 1.0) -> Tensor:
        """Return (count, d) latents on the CPU.

        Args:
            count: number of latents.
            seed: seed of the random numbers.
            temperature: factor of the standard deviations; of a mixture, within its components.
        """


# Codes that a density is fitted to, at most: a random part of all.
MOST_CODES = 20_000

# The priors that can be fitted to codes, by the samplers' names.
LEARNED: dict[str, type[FlowPrior | TwoStagePrior]] = {
    own.name: own for own in (FlowPrior, TwoStagePrior)
}

# Of their fit: updates, codes in each, learning rate, largest norm of a gradient, and the share of
# codes held out, by which the best weights are chosen so often.
UPDATES, BATCH, RATE, CLIP, HELD_OUT, CHECK_EVERY = 1500, 256, 1e-3, 10.0, 0.1, 50


class PriorSampler(NamedTuple):
    """The sampler of a model's own prior. The first latents are the same for every count.

    Attributes:
        model: the model.
    """

    model: GenerativeModel

    def __call__(self, count: int, seed: int, temperature: float = 1.0) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        # Those of all levels in one row: level after level they would depend on the count.
        widths = self.model.noise_dims
        rows = normal_rows(count, sum(widths), generator).to(self.model.parameter)
        noise = torch.split(rows, list(widths), dim=1)
        return joined(self.model.from_noise(noise, temperature)).cpu()


class MixtureSampler(NamedTuple):
    """The sampler of a mixture of Gaussians that is fitted to codes.

    Attributes:
        weights: (K,) probabilities of the components.
        means: (K, d) means.
        factors: (K, d, d) lower triangular factors of the covariances, or (K, d) standard
            deviations where these are diagonal.
    """

    weights: Tensor
    means: Tensor
    factors: Tensor

    def __call__(self, count: int, seed: int, temperature: float = 1.0) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        noise = temperature * normal_rows(count, self.means.shape[1], generator)
        latents = self.means[drawn]
        for component, factor in enumerate(self.factors):
            rows = drawn == component
            own = noise[rows]
            latents[rows] += own @ factor.T if factor.dim() == 2 else own * factor
        return latents

    def tensors(self) -> dict[str, Tensor]:
        """Return what the sampler is made of, by name."""
        return self._asdict()


class LearnedSampler(NamedTuple):
    """The sampler of a prior that is fitted to standardised codes.

    Attributes:
        mean: (d,) mean of the codes.
        spread: (d,) their standard deviations.
        prior: the prior, one of `LEARNED`.
    """

    mean: Tensor
    spread: Tensor
    prior: EstimatedPrior

    def __call__(self, count: int, seed: int, temperature: float = 1.0) -> Tensor:
        noise = normal_rows(count, self.prior.noise_dim, torch.Generator().manual_seed(seed))
        with torch.no_grad():
            return self.mean + self.spread * self.prior.from_noise(noise, temperature)

    def tensors(self) -> dict[str, Tensor]:
        """Return what the sampler is made of, by name."""
        state: dict[str, Tensor] = self.prior.state_dict(prefix=f"{self.prior.name}.")
        return {"mean": self.mean, "spread": self.spread} | state


Fitted = MixtureSampler | LearnedSampler


def fitted(name: str, codes: np.ndarray, of_what: str, progress: Progress = silent) -> Fitted:
    """Return a sampler that is fitted to codes.

    Args:
        name: `mixture`, 10 Gaussians, or one of `LEARNED`.
        codes: (N, d) samples of the posteriors of pictures.
        of_what: what there are N of, for the message.
        progress: shows how far a fit is.

    Raises:
        UserError: there are too few codes, or they are too long for it.
    """
    if len(codes) < FEWEST[name]:
        raise UserError(
            f"--sampler {name}: is fitted to at least {FEWEST[name]} pictures, and there are "
            f"{len(codes)} {of_what}."
        )
    rows = np.random.default_rng(0).permutation(len(codes))[:MOST_CODES]
    chosen = torch.from_numpy(np.array(codes[np.sort(rows)], dtype=np.float32))
    return fitted_mixture(chosen) if name == "mixture" else fitted_prior(name, chosen, progress)


def fitted_mixture(codes: Tensor) -> MixtureSampler:
    """Return the sampler of a mixture of Gaussians that is fitted to (N, d) codes."""
    from reslag_vae.evaluation.metrics.mixture import CodeMixture

    own = CodeMixture(codes).mixture
    covariances = torch.from_numpy(own.covariances_)
    full = covariances.dim() == 3
    factors = torch.linalg.cholesky(covariances) if full else covariances.sqrt()
    means, weights = torch.from_numpy(own.means_), torch.from_numpy(own.weights_)
    return MixtureSampler(weights.float(), means.float(), factors.float())


def fitted_prior(name: str, codes: Tensor, progress: Progress = silent) -> LearnedSampler:
    """Return the sampler of a prior that is fitted to (N, d) codes by maximum likelihood.

    The weights, those before the first update among them, are the best ones on a random tenth of
    the codes that is held out. torch's random numbers are as before.

    Args:
        name: one of `LEARNED`; of `two_stage` the likelihood is its lower bound.
        codes: the codes.
        progress: shows how many updates are done.

    Raises:
        UserError: the codes are too long.
    """
    mean, spread = codes.mean(0), codes.std(0).clamp_min(1e-6)
    # Codes come in the order of their files, folder by folder.
    order = torch.randperm(len(codes), generator=torch.Generator().manual_seed(0))
    scaled = ((codes - mean) / spread)[order]
    held, train = scaled.tensor_split([int(HELD_OUT * len(codes))])
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        try:
            prior = LEARNED[name](codes.shape[1])
        except ValueError:
            raise UserError(
                f"--sampler {name}: codes of {codes.shape[1]:,} numbers are too long for it."
            ) from None
        fit(prior, train, held, progress)
    return LearnedSampler(mean, spread, prior)


def fit(prior: EstimatedPrior, train: Tensor, held: Tensor, progress: Progress) -> None:
    """Fit a prior to codes, and give it the weights, also those of before, that are best on others.

    Args:
        prior: the prior.
        train: (N, d) codes.
        held: (M, d) codes that are held out.
        progress: shows how many updates are done.
    """
    optimizer = torch.optim.Adam(prior.parameters(), lr=RATE)
    best, weights = value_of(prior, held), copy.deepcopy(prior.state_dict())
    with progress(f"{prior.name} of the codes", UPDATES) as advance:
        for update in range(1, UPDATES + 1):
            batch = train[torch.randint(len(train), (BATCH,))]
            loss = -prior.log_prob(batch).mean()
            optimizer.zero_grad()
            # A method of PyTorch's without annotations.
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(prior.parameters(), CLIP)
            optimizer.step()
            advance(1)
            if update % CHECK_EVERY == 0:
                value = value_of(prior, held)
                if value > best:
                    best, weights = value, copy.deepcopy(prior.state_dict())
    prior.load_state_dict(weights)
    prior.eval()


@torch.no_grad()
def value_of(prior: EstimatedPrior, held: Tensor) -> float:
    """Return the mean log-density of (M, d) codes in nats, as in evaluation."""
    prior.eval()
    value = float(prior.log_prob(held).mean())
    prior.train()
    return value
