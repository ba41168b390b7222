"""The prior under which all codes are equally likely."""

import math

import torch
from torch import Tensor

from reslag_vae.latents.code_prior import CodePrior


class UniformCodes(CodePrior):
    """The mass 1/K of each of K codes, independently at every position.

    What codes say then costs log K nats a position, whatever they are: the bound on -log p(x) of a
    model whose codes have got no prior of their own yet (van den Oord et al. 2017,
    https://arxiv.org/abs/1711.00937, section 3.1).
    """

    name = "uniform_codes"

    @property
    def notes(self) -> dict[str, str]:
        cost = self.noise_dim * math.log(self.quantiser.codes)
        return {"p(z)": "all codes alike", "KL": f"{cost:.2f} nats per image, a constant"}

    def nats(self, indices: Tensor, context: Tensor | None = None) -> Tensor:
        return torch.full_like(indices, math.log(self.quantiser.codes), dtype=torch.float32)

    def from_noise(
        self, noise: Tensor, temperature: float = 1.0, context: Tensor | None = None
    ) -> Tensor:
        # Logits that are all alike are so at every temperature.
        uniform = torch.special.ndtr(noise)
        codes = self.quantiser.codes
        indices = (uniform * codes).long().clamp_max(codes - 1)
        return self.quantiser.latents_of(indices).to(noise.dtype)
