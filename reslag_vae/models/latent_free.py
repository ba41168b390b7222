"""The model without latents: a likelihood alone."""

from typing import Any

from torch import Tensor, nn

from reslag_vae.latents import DiagonalGaussian, Inferred
from reslag_vae.likelihoods import Likelihood
from reslag_vae.models.generative import GenerativeModel, Group


class LatentFree(GenerativeModel):
    """p(x), by a likelihood that needs no parameters: a level of latents of no numbers.

    Its KL is 0, and its inference group holds nothing.

    Args:
        likelihood: p(x), with `parameters_per_channel=0`.

    Raises:
        ValueError: the likelihood takes parameters from a decoder.
    """

    def __init__(self, likelihood: Likelihood) -> None:
        super().__init__()
        shape = getattr(likelihood, "image_shape", None)
        if likelihood.parameters_per_channel or shape is None:
            raise ValueError(
                f"likelihood={likelihood.name}: a model without latents takes an autoregressive "
                "likelihood with likelihood.parameters_per_channel=0."
            )
        self.likelihood, self.image_shape = likelihood, shape
        self.level_dims, self.noise_dims = (0,), (0,)
        self.deterministic = False
        self.provides = frozenset({"latent_free", "density"})

    def parts(self) -> dict[str, Any]:
        return {"model": self, "likelihood": self.likelihood}

    def infer(self, images: Tensor, noise: tuple[Tensor, ...] | None = None) -> Inferred:
        count = len(images) if noise is None else len(noise[0])
        nothing = images.new_zeros(count, 0)
        density = DiagonalGaussian(nothing, nothing)
        return Inferred((density,), (density,), (nothing,), (nothing,), {})

    def parameters_of(self, latents: tuple[Tensor, ...]) -> Tensor:
        (code,) = latents
        return code.new_zeros(len(code), 0, *self.image_shape[1:])

    def from_noise(self, noise: tuple[Tensor, ...], temperature: float = 1.0) -> tuple[Tensor, ...]:
        return noise

    def groups(self) -> dict[Group, list[nn.Module]]:
        return {"inference": [], "generative": [self.likelihood]}
