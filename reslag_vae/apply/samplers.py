"""Samplers of latents: a model's own prior, or a density fitted to the codes of pictures."""

import copy
from functools import partial
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from reslag_vae._runtime.errors import UserError
from reslag_vae.apply.request import FEWEST
from reslag_vae.evaluation.progress import Progress, silent
from reslag_vae.latents.base import normal_rows
from reslag_vae.latents.flow import FlowPrior
from reslag_vae.latents.inferred import joined
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

# Of the flow: updates, codes in each, learning rate, largest norm of a gradient, and the share of
# codes held out, by which the best weights are chosen so often.
UPDATES, BATCH, RATE, CLIP, HELD_OUT, CHECK_EVERY = 1500, 256, 1e-3, 10.0, 0.1, 50


def sampler_of(
    name: str, model: GenerativeModel, codes: np.ndarray | None, progress: Progress = silent
) -> Sampler:
    """Return a sampler.

    Args:
        name: `prior`; `mixture`, 10 Gaussians, or `flow`, both fitted to codes.
        model: the model.
        codes: (N, d) samples of the posteriors of pictures; None for the prior.
        progress: shows how far a fit is.

    Raises:
        UserError: so few of the pictures can be read that there are too few codes, or scikit-learn
            is not installed.
    """
    if codes is not None and len(codes) < FEWEST[name]:
        raise UserError(
            f"--sampler {name}: is fitted to at least {FEWEST[name]} pictures, and {len(codes)} "
            "can be read."
        )
    if name == "prior" or codes is None:
        return partial(prior_samples, model)
    rows = np.random.default_rng(0).permutation(len(codes))[:MOST_CODES]
    chosen = torch.from_numpy(np.array(codes[np.sort(rows)], dtype=np.float32))
    return fitted_mixture(chosen) if name == "mixture" else fitted_flow(chosen, progress)


def prior_samples(
    model: GenerativeModel, count: int, seed: int, temperature: float = 1.0
) -> Tensor:
    """Return (count, d) latents of the prior, on the CPU; the first ones for every count alike."""
    generator = torch.Generator().manual_seed(seed)
    rows = [normal_rows(count, width, generator) for width in model.noise_dims]
    noise = tuple(own.to(model.parameter) for own in rows)
    return joined(model.from_noise(noise, temperature)).cpu()


def fitted_mixture(codes: Tensor) -> Sampler:
    """Return the sampler of a mixture of Gaussians that is fitted to (N, d) codes.

    Raises:
        UserError: scikit-learn is not installed.
    """
    from reslag_vae.evaluation.metrics.mixture import CodeMixture

    try:
        return CodeMixture(codes).sample
    except ImportError:
        raise UserError(
            "--sampler mixture needs scikit-learn: pip install 'reslag_vae[apply]'"
        ) from None


def fitted_flow(codes: Tensor, progress: Progress = silent) -> Sampler:
    """Return the sampler of a flow that is fitted to (N, d) codes by maximum likelihood.

    The weights are the best ones on a tenth of the codes that is held out. torch's random numbers
    are as before.
    """
    mean, spread = codes.mean(0), codes.std(0).clamp_min(1e-6)
    scaled = (codes - mean) / spread
    held, train = scaled[: int(HELD_OUT * len(codes))], scaled[int(HELD_OUT * len(codes)) :]
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        flow = FlowPrior(codes.shape[1])
        fit_flow(flow, train, held, progress)

    def sample(count: int, seed: int, temperature: float = 1.0) -> Tensor:
        noise = normal_rows(count, flow.noise_dim, torch.Generator().manual_seed(seed))
        with torch.no_grad():
            return mean + spread * flow.from_noise(noise, temperature)

    return sample


def fit_flow(flow: FlowPrior, train: Tensor, held: Tensor, progress: Progress) -> None:
    """Fit a flow to codes, and give it the weights that are best on others.

    Args:
        flow: the flow.
        train: (N, d) codes.
        held: (M, d) codes that are held out.
        progress: shows how many updates are done.
    """
    optimizer = torch.optim.Adam(flow.parameters(), lr=RATE)
    best, weights = -torch.inf, copy.deepcopy(flow.state_dict())
    with progress("flow of the codes", UPDATES) as advance:
        for update in range(1, UPDATES + 1):
            batch = train[torch.randint(len(train), (BATCH,))]
            loss = -flow.log_prob(batch).mean()
            optimizer.zero_grad()
            # A method of PyTorch's without annotations.
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(flow.parameters(), CLIP)
            optimizer.step()
            advance(1)
            if update % CHECK_EVERY == 0:
                with torch.no_grad():
                    value = float(flow.log_prob(held).mean())
                if value > best:
                    best, weights = value, copy.deepcopy(flow.state_dict())
    flow.load_state_dict(weights)
