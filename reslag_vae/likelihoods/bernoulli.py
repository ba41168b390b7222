"""The Bernoulli likelihood of binary images."""

import torch
from torch import Tensor
from torch.nn import functional as F

from reslag_vae.likelihoods.base import Distortion, Likelihood, squared_error


class Bernoulli(Likelihood):
    """A Bernoulli distribution of each pixel: x is 1 with the probability sigmoid(logit).

    Kingma & Welling 2014, https://arxiv.org/abs/1312.6114, appendix C.1. The cost of an image is
    its cross entropy in nats, that of a mass: no constant is left out. Images must be binary: a
    cross entropy with grey values is not the logarithm of a probability.
    """

    name = "bernoulli"
    discrete = True
    binary = True
    formula = "-sum ln p(x|z)"

    @property
    def notes(self) -> dict[str, str]:
        return {"p(x|z)": "Bernoulli of each pixel, in nats"}

    def link(self, outputs: Tensor) -> Tensor:
        return outputs

    def forward(self, images: Tensor, parameters: Tensor) -> Distortion:
        nll = -self.log_prob(images, parameters)
        return Distortion(nll, squared_error(images, self.mean(parameters.detach())), {})

    def log_prob(self, images: Tensor, parameters: Tensor) -> Tensor:
        costs = F.binary_cross_entropy_with_logits(parameters, images, reduction="none")
        return -costs.flatten(1).sum(1)

    def mean(self, parameters: Tensor) -> Tensor:
        return parameters.sigmoid()

    def divergence(self, parameters: Tensor, others: Tensor) -> Tensor:
        both = (self.mean(parameters) - self.mean(others)) * (parameters - others)
        return both.flatten(1).sum(1) / 2

    def sample(self, parameters: Tensor, generator: torch.Generator | None = None) -> Tensor:
        draws = torch.rand(parameters.shape, generator=generator).to(parameters)
        return (draws < self.mean(parameters)).to(parameters)
