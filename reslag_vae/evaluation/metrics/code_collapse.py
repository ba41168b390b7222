"""The diagnosis of discrete latents: codes that nobody uses, and codes that the decoder ignores."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from reslag_vae.evaluation.codes import Codes
from reslag_vae.evaluation.iteration import check_seed, device_of, evaluating
from reslag_vae.evaluation.metrics.bounds import likelihood_of
from reslag_vae.evaluation.metrics.collapse import CHUNK, Diagnosis
from reslag_vae.evaluation.progress import Progress, silent
from reslag_vae.latents import CodePosterior
from reslag_vae.latents.inferred import joined
from reslag_vae.latents.verdicts import verdicts_on_codes
from reslag_vae.likelihoods import Likelihood
from reslag_vae.models import GenerativeModel

# How often each code is exchanged, at most.
TIMES = 4

# A decoder that tells two codes apart by less, in nats of an image, ignores which of them it is.
TOLD_APART = 0.01


class Exchange(NamedTuple):
    """Exchanges of one code of an image for another, M of them.

    Attributes:
        images: (M,) numbers of the images.
        codes: (M,) the codes that are taken out.
        others: (M, d) the images' latents of a level, with another code in the place of each.
    """

    images: Tensor
    codes: Tensor
    others: Tensor


def diagnose_codes(
    model: GenerativeModel,
    codes: Codes,
    likelihood: Likelihood | Tensor | float | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Diagnosis:
    """Return whether discrete latents have collapsed: of no dimension, but of all codes.

    Codes that are the same for every image have collapsed, also where they differ between
    positions. A code is dead if no position of any image uses it. It is ignored by the decoder if
    p(x|z) hardly changes where another code in use takes its place at one position: by
    KL(p(x|z) || p(x|z')) of at most 0.01 nats, in the mean over up to 4 places where it occurs.

    Args:
        model: a model whose latents are codes, at every level.
        codes: codes of N images.
        likelihood: p(x|z), or the variance of a Gaussian one, broadcastable to (1, C, H, W); None
            is the model's own.
        seed: seed of the choice of places and codes.
        progress: shows how many exchanges are decoded.
    """
    ignored = ignored_codes(model, codes.latents, likelihood, seed, progress)
    differing = (codes.means != codes.means[0]).any(0)
    varying = [bool(own.any()) for own in model.levels(differing[None])]
    verdicts = verdicts_on_codes(codes.usage, varying)
    told = [
        with_ignored(verdict, len(own), int((usage > 0).sum()))
        for verdict, own, usage in zip(verdicts, ignored, codes.usage, strict=True)
    ]
    none = torch.zeros(0, dtype=torch.bool)
    return Diagnosis(none, none, none, "; ".join(told))


def with_ignored(verdict: str, ignored: int, used: int) -> str:
    """Return the verdict on a level of codes with what the decoder makes of those in use."""
    if not ignored:
        return verdict
    if ignored == used:
        return f"{verdict}, and COLLAPSED: the decoder ignores which codes they are"
    return f"{verdict}, {ignored} of those in use ignored by the decoder"


def ignored_codes(
    model: GenerativeModel,
    latents: Tensor,
    likelihood: Likelihood | Tensor | float | None,
    seed: int = 0,
    progress: Progress = silent,
) -> list[Tensor]:
    """Return the numbers of the codes that occur and that the decoder ignores, of each level.

    Args:
        model: a model whose latents are codes, at every level.
        latents: (N, d) latents of images.
        likelihood: as for `diagnose_codes`.
        seed: seed of the choice of places and codes.
        progress: shows how many exchanges are decoded.
    """
    stream, device = np.random.default_rng(check_seed(seed)), device_of(model)
    levels = list(model.levels(latents.to(device)))
    found = []
    with evaluating(model):
        for level, posterior in enumerate(model.posteriors()):
            assert isinstance(posterior, CodePosterior), "every level is of codes"
            exchange = exchanges(posterior, levels[level], stream)
            before = [own[exchange.images] for own in levels]
            after = [*before[:level], exchange.others, *before[level + 1 :]]
            pair = joined(tuple(before)), joined(tuple(after))
            nats = divergences(model, *pair, likelihood, progress)
            found.append(at_most(TOLD_APART, nats, exchange.codes))
    return found


def exchanges(posterior: CodePosterior, latents: Tensor, stream: np.random.Generator) -> Exchange:
    """Return up to 4 exchanges of every code that occurs, each for another one that does.

    Args:
        posterior: the level's.
        latents: (N, d) latents of the level.
        stream: source of the choices.
    """
    indices = posterior.codes_at(latents)
    used = torch.bincount(indices.flatten()).nonzero()[:, 0]
    places = []
    # A code that is alone can be exchanged for none.
    for code in used if len(used) > 1 else used[:0]:
        own = (indices == code).nonzero().cpu()
        places.append(own[stream.permutation(len(own))[:TIMES]])
    chosen = torch.cat(places) if places else torch.zeros(0, 2, dtype=torch.long)
    images, positions = chosen.to(latents.device).unbind(1)
    codes = indices[images, positions]
    # Any of the others in use: as many steps on, around the list of them.
    steps = torch.from_numpy(stream.integers(1, max(len(used), 2), len(codes))).to(codes)
    rows = (torch.searchsorted(used, codes) + steps) % len(used)
    other = indices[images]
    other[torch.arange(len(codes), device=codes.device), positions] = used[rows]
    replaced = posterior.latents_of(other).to(latents.dtype)
    return Exchange(images, codes, replaced)


def divergences(
    model: GenerativeModel,
    latents: Tensor,
    others: Tensor,
    likelihood: Likelihood | Tensor | float | None,
    progress: Progress = silent,
) -> Tensor:
    """Return the (M,) KL(p(x|z) || p(x|z')) of (M, d) latents z and z' in nats, on the CPU."""
    own = likelihood_of(model, likelihood).to(latents.device)
    if not len(latents):
        return torch.zeros(0, dtype=torch.float64)
    parts = []
    with progress("exchanging codes", len(latents)) as advance:
        for left, right in zip(
            torch.split(latents, CHUNK), torch.split(others, CHUNK), strict=True
        ):
            parameters, changed = model.parameters_at(left), model.parameters_at(right)
            parts.append(own.divergence(parameters, changed).double().cpu())
            advance(len(left))
    return torch.cat(parts)


def at_most(limit: float, values: Tensor, codes: Tensor) -> Tensor:
    """Return the codes whose values are at most a limit in their mean.

    Args:
        limit: the largest mean of a code that is returned.
        values: (M,) float64.
        codes: (M,) the code that each value is of.
    """
    counts = torch.bincount(codes.cpu())
    sums = torch.bincount(codes.cpu(), values)
    return (sums <= limit * counts).logical_and(counts > 0).nonzero()[:, 0]
