"""The result of inference, level by level."""

from typing import NamedTuple

import torch
from torch import Tensor

from reslag_vae.latents.base import Density, PosteriorDensity


class Inferred(NamedTuple):
    """The result of inference on B images.

    A level is a group of latents; the top one is first.

    Attributes:
        posteriors: posterior q of each level.
        priors: prior p of each level.
        latents: (B, d_l) latents of each level, one sample of each posterior.
        kls: (B, d_l) KL of each dimension of each level in nats, given the levels above; None
            without a closed form. Of a dimension that is inferred on a way upwards, on which the
            levels above depend, it is log q - log p of the one sample, whose mean is the KL.
        penalties: further (B,) costs of training by name, in the objective's unit.
        top_down: whether the posterior of a level depends on the sample of those above.
        estimated: whether some of `kls` are of the one sample, of latents inferred on a way up.
    """

    posteriors: tuple[PosteriorDensity, ...]
    priors: tuple[Density, ...]
    latents: tuple[Tensor, ...]
    kls: tuple[Tensor | None, ...]
    penalties: dict[str, Tensor]
    top_down: bool = False
    estimated: bool = False

    @property
    def means(self) -> tuple[Tensor, ...]:
        """The (B, d_l) posterior means of each level."""
        return tuple(posterior.mean for posterior in self.posteriors)

    @property
    def shifts(self) -> Tensor:
        """(B, d) posterior means; in a hierarchy, below its top, from the prior's means.

        A level that says nothing of an image by itself still follows the levels above.
        """
        if not self.top_down:
            return joined(self.means)
        top, *below = self.means
        levels = zip(below, self.priors[1:], strict=True)
        return joined((top, *(mean - prior.mean for mean, prior in levels)))

    @property
    def log_variances(self) -> Tensor | None:
        """The (B, d) log-variances where q(z|x) is a diagonal Gaussian, all levels joined.

        None for others, as where a level is inferred from a sample of the one above.
        """
        levels = [own.log_variance for own in self.posteriors]
        known = tuple(own for own in levels if own is not None)
        return None if self.top_down or len(known) < len(levels) else joined(known)

    @property
    def prior_variances(self) -> Tensor:
        """(B, d) variances of the priors in each dimension, all levels joined."""
        levels = zip(self.priors, self.latents, strict=True)
        return joined(tuple(prior.variance.expand_as(latents) for prior, latents in levels))

    @property
    def code(self) -> Tensor:
        """The (B, d) latents of all levels, one after the other."""
        return joined(self.latents)

    @property
    def dimensions(self) -> int:
        """The number d of latent dimensions of all levels."""
        return sum(level.shape[1] for level in self.latents)

    @property
    def has_density(self) -> bool:
        """Whether every posterior is a density, so that there is a KL."""
        return all(posterior.has_density for posterior in self.posteriors)

    def log_ratio(self) -> Tensor:
        """Return the (B,) log p(z) - log q(z|x) of the latents, in nats.

        Beside the likelihood it is all that an importance-weighted bound needs.
        """
        levels = zip(self.priors, self.posteriors, self.latents, strict=True)
        return total([prior.log_prob(z) - posterior.log_prob(z) for prior, posterior, z in levels])

    def level_rates(self) -> tuple[Tensor, ...]:
        """Return the (B,) KL(q || p) of each level in nats; empty if a posterior is a point.

        That of a level with a closed form is the sum of its `kls`, that of another the estimate
        from one sample.
        """
        if not self.has_density:
            return ()
        levels = zip(self.kls, self.priors, self.posteriors, self.latents, strict=True)
        return tuple(
            posterior.log_prob(z) - prior.log_prob(z) if kl is None else kl.sum(1)
            for kl, prior, posterior, z in levels
        )

    def rate(self) -> Tensor | None:
        """Return the (B,) KL(q || p) of all levels in nats; None if a posterior is a point."""
        rates = self.level_rates()
        return total(list(rates)) if rates else None


def joined(levels: tuple[Tensor, ...]) -> Tensor:
    """Return the (B, d_l) tensors of all levels as one of (B, d)."""
    return levels[0] if len(levels) == 1 else torch.cat(levels, dim=1)


def total(values: list[Tensor]) -> Tensor:
    """Return the sum of (B,) tensors, at least one."""
    result = values[0]
    for value in values[1:]:
        result = result + value
    return result
