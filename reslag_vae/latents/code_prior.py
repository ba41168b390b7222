"""Priors over codes: masses, of which a code's latents are the vector that it stands for."""

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from reslag_vae.latents.base import Density, Level, PosteriorDensity, Prior
from reslag_vae.latents.codes import Coded, CodePosterior


class CodePrior(Prior):
    """A mass over the codes of all positions of a grid.

    Its sizes are those of the level that it is bound to. What codes cost has no gradient to the
    encoder, as choosing a code has none.

    Attributes:
        noise_dim: N, the number of positions.
    """

    requires = frozenset({"codes"})
    provides = frozenset({"code_mass"})

    def __init__(self) -> None:
        super().__init__(latent_dim=0)
        # In a tuple: a module of the model, and none of this prior.
        self.bound_to: tuple[CodePosterior, ...] = ()

    @property
    def quantiser(self) -> CodePosterior:
        """The posterior whose codes these are."""
        [own] = self.bound_to
        return own

    def bind(self, level: Level) -> None:
        self.latent_dim = level.latent_dim
        if isinstance(level.posterior, CodePosterior):
            self.noise_dim = level.latent_dim // level.posterior.code_dim
            self.bound_to = (level.posterior,)

    @abstractmethod
    def nats(self, indices: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the (B, N) negative logarithms of the masses of codes, in nats.

        That of a position may depend on the codes before it.

        Args:
            indices: (B, N) codes, row by row.
            context: (B, d') latents of the level above; None at the top.
        """

    def forward(self, context: Tensor | None = None) -> Density:
        codes = torch.arange(self.quantiser.codes, device=self.device)
        with torch.no_grad():
            vectors = self.quantiser.vectors_of(codes)
            mean, variance = (
                own.repeat_interleave(self.noise_dim)
                for own in (vectors.mean(0), vectors.var(0, unbiased=False))
            )
        return CodeMass(mean, variance, self, context)

    def kl(self, posterior: PosteriorDensity, context: Tensor | None = None) -> Tensor | None:
        """Return (B, d) numbers whose sum over dimensions is the KL(q || p) in nats.

        What a position's code costs is shared evenly by the numbers of its vector.

        Args:
            posterior: q; without codes there is no closed form, and the result is None.
            context: (B, d') latents of the level above; None at the top.
        """
        if not isinstance(posterior, Coded):
            return None
        code_dim = self.quantiser.code_dim
        each = self.nats(posterior.indices, context).to(posterior.mean.dtype) / code_dim
        return each.repeat(1, code_dim)

    @property
    def device(self) -> torch.device:
        """The device of the codes."""
        return next(iter(self.quantiser.buffers())).device


class CodeMass(NamedTuple):
    """A mass over codes at every position, seen as one of latents.

    Attributes:
        mean: (d,) means of the vectors of codes, all of which count alike.
        variance: (d,) variances of the vectors of codes, all of which count alike.
        prior: the prior whose mass it is.
        context: (B, d') latents of the level above; None at the top.
    """

    mean: Tensor
    variance: Tensor
    prior: CodePrior
    context: Tensor | None

    def log_prob(self, latents: Tensor) -> Tensor:
        """Return the (B,) logarithms of the masses of (B, d) latents, in nats."""
        indices = self.prior.quantiser.codes_at(latents)
        return -self.prior.nats(indices, self.context).sum(1)
