"""The prior under which all codes are equally likely."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from reslag_vae.latents.base import Density, Level, PosteriorDensity, Prior
from reslag_vae.latents.codes import Coded, CodePosterior


class CodeMass(NamedTuple):
    """The even mass over codes at every position, seen as one of latents.

    Attributes:
        mean: (d,) means of the vectors of codes.
        variance: (d,) variances of the vectors of codes.
        log_mass: () logarithm of the mass of any codes of an image.
    """

    mean: Tensor
    variance: Tensor
    log_mass: float

    def log_prob(self, latents: Tensor) -> Tensor:
        """Return the (B,) logarithms of the masses of (B, d) latents, in nats."""
        return latents.new_full((len(latents),), self.log_mass)


class UniformCodes(Prior):
    """The mass 1/K of each of K codes, independently at every position.

    What codes say then costs log K nats a position, whatever they are: the bound on -log p(x) of a
    model whose codes have got no prior of their own yet (van den Oord et al. 2017,
    https://arxiv.org/abs/1711.00937, section 3.1). Its sizes are those of the model that binds it.
    """

    name = "uniform_codes"
    requires = frozenset({"codes"})
    provides = frozenset({"code_mass"})

    def __init__(self) -> None:
        super().__init__(latent_dim=0)
        # In a tuple: a module of the model, and none of this prior.
        self.quantiser: tuple[CodePosterior, ...] = ()

    @property
    def notes(self) -> dict[str, str]:
        return {"p(z)": "all codes alike", "KL": f"{self.nats():.2f} nats per image, a constant"}

    def nats(self) -> float:
        """Return what the codes of an image cost, in nats."""
        return self.noise_dim * math.log(self.quantiser[0].codes)

    def bind(self, level: Level) -> None:
        self.latent_dim = level.latent_dim
        if isinstance(level.posterior, CodePosterior):
            self.noise_dim = level.latent_dim // level.posterior.code_dim
            self.quantiser = (level.posterior,)

    def forward(self, context: Tensor | None = None) -> Density:
        [quantiser] = self.quantiser
        device = next(iter(quantiser.buffers())).device
        with torch.no_grad():
            vectors = quantiser.vectors_of(torch.arange(quantiser.codes, device=device))
            mean, variance = (
                own.repeat_interleave(self.noise_dim)
                for own in (vectors.mean(0), vectors.var(0, unbiased=False))
            )
        return CodeMass(mean, variance, -self.nats())

    def from_noise(
        self, noise: Tensor, temperature: float = 1.0, context: Tensor | None = None
    ) -> Tensor:
        # Logits that are all alike are so at every temperature.
        [quantiser] = self.quantiser
        uniform = torch.special.ndtr(noise)
        indices = (uniform * quantiser.codes).long().clamp_max(quantiser.codes - 1)
        return quantiser.latents_of(indices).to(noise.dtype)

    def kl(self, posterior: PosteriorDensity, context: Tensor | None = None) -> Tensor | None:
        if not isinstance(posterior, Coded):
            return None
        [quantiser] = self.quantiser
        return torch.full_like(posterior.mean, math.log(quantiser.codes) / quantiser.code_dim)
