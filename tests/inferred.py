"""What inference yields, for tests of what is computed from it."""

from torch import Tensor

from reslag_vae.latents import Inferred, PosteriorDensity, StandardNormal


def infer(
    posterior: PosteriorDensity,
    latents: Tensor | None = None,
    penalties: dict[str, Tensor] | None = None,
) -> Inferred:
    """One level of latents under N(0, I); by default each posterior's mean is its sample."""
    prior = StandardNormal(posterior.mean.shape[1]).to(posterior.mean.dtype)
    code = posterior.mean if latents is None else latents
    kl = prior.kl(posterior)
    return Inferred((posterior,), (prior(),), (code,), (kl,), penalties or {})
