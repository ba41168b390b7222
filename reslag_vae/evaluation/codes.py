"""The latent codes of images."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from reslag_vae.data.images import Images
from reslag_vae.evaluation.adapters import LatentModel
from reslag_vae.evaluation.iteration import (
    check_seed,
    checked_images,
    chunk_size,
    evaluating,
    given_chunks,
    latent_dim_of,
    noise_of_levels,
    of_rows,
    shifts_of,
)
from reslag_vae.evaluation.progress import Progress, silent
from reslag_vae.latents import DiagonalGaussian, Inferred
from reslag_vae.latents.codes import usages_of
from reslag_vae.latents.inferred import joined
from reslag_vae.latents.noise import normal_rows
from reslag_vae.latents.statistics import active_dimensions, on_cpu
from reslag_vae.models import GenerativeModel
from reslag_vae.models.latent_inputs import as_latents


class Codes(NamedTuple):
    """The codes of N images, on the CPU.

    Attributes:
        means: (N, d) posterior means.
        latents: (N, d) latents, one sample of each posterior; its mean where it is a point.
        log_variances: (N, d) natural logarithms of the variances where the posteriors are diagonal
            Gaussians, else None.
        kls: (N, d) KL to the prior of each dimension in nats; None without a closed form.
        rates: (N,) KL to the prior in nats, exact or estimated by the one sample; None where
            posteriors are points.
        prior_variances: (N, d) variances of the prior; None are those of N(0, I).
        shifts: (N, d) posterior means, of a hierarchy what its levels add to those above: see
            `Inferred.shifts`; None are `means`.
        level_rates: (N, L) KL of each level, as `rates`.
        level_dims: number of dimensions of each level, top first; empty where it is not known.
        usage: (K_l,) uses of each code of each level of discrete latents, top first.
    """

    means: Tensor
    latents: Tensor
    log_variances: Tensor | None = None
    kls: Tensor | None = None
    rates: Tensor | None = None
    prior_variances: Tensor | None = None
    shifts: Tensor | None = None
    level_rates: Tensor | None = None
    level_dims: tuple[int, ...] = ()
    usage: tuple[Tensor, ...] = ()

    @property
    def activity(self) -> Tensor:
        """(d,) variances of the posterior means over images, in units of the prior's variance."""
        return self.variances / self.prior_variance

    @property
    def active(self) -> Tensor:
        """(d,) bool, whether each latent dimension is active."""
        return active_dimensions(self.variances, self.prior_variance)

    @property
    def variances(self) -> Tensor:
        """(d,) variances over images of the posterior means, of `shifts` in a hierarchy."""
        told = self.means if self.shifts is None else self.shifts
        return told.double().var(0, unbiased=False)

    @property
    def prior_variance(self) -> Tensor:
        """(d,) variances of the prior in float64, their means over images."""
        if self.prior_variances is None:
            return torch.ones(self.means.shape[1], dtype=torch.float64)
        return self.prior_variances.double().mean(0)

    @property
    def posterior(self) -> DiagonalGaussian | None:
        """The N posteriors where they are diagonal Gaussians, else None."""
        if self.log_variances is None:
            return None
        return DiagonalGaussian(self.means, self.log_variances)


def encode(
    model: LatentModel, images: Tensor | Images, seed: int = 0, progress: Progress = silent
) -> Codes:
    """Return the codes of images.

    The samples depend on `seed` and not on the size of the chunks.

    Args:
        model: any model. A conditional one is told of the images of a split; of others it must be
            `given` before.
        images: (N, C, H, W) uint8, or floating point in [0, 1].
        seed: seed of the samples.
        progress: shows how many images are done.

    Raises:
        ValueError: the model does not take such images, or the seed is not valid.
    """
    images = checked_images(images, model)
    seed = check_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    parts: list[Codes] = []
    with evaluating(model), progress("encoding", len(images)) as advance:
        for own, part in given_chunks(model, images):
            noise = normal_rows(len(part), latent_dim_of(own, part), generator).to(part)
            inferred = own.infer(part, noise_of_levels(own, noise))
            parts.append(codes_of(inferred, shifts_of(own, part, inferred)))
            advance(len(part))
    return Codes(
        means=torch.cat([part.means for part in parts]),
        latents=torch.cat([part.latents for part in parts]),
        log_variances=all_of([part.log_variances for part in parts]),
        kls=all_of([part.kls for part in parts]),
        rates=all_of([part.rates for part in parts]),
        prior_variances=all_of([part.prior_variances for part in parts]),
        shifts=all_of([part.shifts for part in parts]),
        level_rates=all_of([part.level_rates for part in parts]),
        level_dims=parts[0].level_dims,
        usage=sums_of([part.usage for part in parts]),
    )


def codes_of(inferred: Inferred, shifts: Tensor) -> Codes:
    """Return inferred latents as codes on the CPU, all levels joined.

    Args:
        inferred: result of inference on B images.
        shifts: (B, d) what each level adds to those above: see `shifts_of`.
    """
    rates = inferred.level_rates()
    return Codes(
        means=joined(inferred.means).cpu(),
        latents=inferred.code.cpu(),
        log_variances=on_cpu(inferred.log_variances),
        kls=on_cpu(all_levels(inferred.kls)),
        rates=on_cpu(inferred.rate()),
        prior_variances=inferred.prior_variances.cpu(),
        shifts=shifts.cpu() if inferred.top_down else None,
        level_rates=torch.stack(rates, dim=1).cpu() if rates else None,
        level_dims=tuple(own.shape[1] for own in inferred.latents),
        usage=tuple(own.cpu() for own in usages_of(inferred.posteriors)),
    )


def all_levels(levels: Sequence[Tensor | None]) -> Tensor | None:
    """Return (B, d_l) tensors of every level as one of (B, d); None if a level has none."""
    known = [level for level in levels if level is not None]
    return joined(tuple(known)) if len(known) == len(levels) else None


def all_of(column: Sequence[Tensor | None]) -> Tensor | None:
    """Return chunks of a tensor as one; None if there are none."""
    known = [part for part in column if part is not None]
    return torch.cat(known) if known else None


def sums_of(chunks: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Return the sums over chunks of each of their tensors, as many in every chunk."""
    return tuple(torch.stack(column).sum(0) for column in zip(*chunks, strict=True))


def decode(
    model: LatentModel,
    latents: Tensor,
    progress: Progress = silent,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return the (N, C, H, W) images of (N, d) latents, on the CPU.

    They are the means of p(x|z), or samples where it has none.

    Args:
        model: any model; a conditional one is told of as many images, or of more.
        latents: (N, d) latents; N is at least 1.
        progress: shows how many latents are done.
        generator: generator of the samples, on the CPU; None draws the same numbers at each call.

    Raises:
        ValueError: the latents are not finite, or not of the model's dimensions.
    """
    dimensions = getattr(model, "latent_dim", None)
    latents = as_latents(latents, dimensions, next(model.parameters(), None))
    source = torch.Generator().manual_seed(0) if generator is None else generator
    images = []
    with evaluating(model), progress("decoding", len(latents)) as advance:
        # The first alone: of a foreign model only a decoded image tells how large its images are.
        images.append(of_rows(model, slice(0, 1)).decode(latents[:1], source).cpu())
        advance(1)
        size = chunk_size(images[0].numel(), latents.device)
        for first in range(1, len(latents), size):
            rows = slice(first, min(first + size, len(latents)))
            images.append(of_rows(model, rows).decode(latents[rows], source).cpu())
            advance(len(images[-1]))
    return torch.cat(images)


def decode_alike(model: GenerativeModel, latents: Tensor) -> Tensor:
    """Return the (N, C, H, W) images of (N, d) latents, on the CPU, all by the same random numbers.

    Where an image is a sample of p(x|z), what differs between them is then the latents' doing.
    """
    if model.likelihood.has_mean:
        return decode(model, latents)
    rows = [slice(row, row + 1) for row in range(len(latents))]
    return torch.cat([decode(of_rows(model, own), latents[own]) for own in rows])
