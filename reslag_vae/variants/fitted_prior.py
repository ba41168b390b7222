"""A prior that is fitted after training."""

from typing import Self

from torch import nn

from reslag_vae.latents import Prior
from reslag_vae.models import GenerativeModel
from reslag_vae.models.generative import Group
from reslag_vae.objectives import Objective
from reslag_vae.training.optimizers import AdamSettings
from reslag_vae.training.schedules import Schedule
from reslag_vae.training.system import BaseVAE


class FittedPrior(BaseVAE):
    """The second stage of Dai & Wipf 2019, https://arxiv.org/abs/1903.05789, with any prior.

    The model is that of a trained run, with another prior: that alone learns, from the latents of
    the training images, and all else stands still, as in evaluations. What comes out is a whole
    model, whose samples are those of the fitted prior.

    Raises:
        ValueError: the parts do not go together, or the prior has nothing that could be fitted.
    """

    name = "fitted_prior"
    title = "Fitted prior"
    usual = "rate"
    requires = frozenset({"rate_alone", "generative_alone"})
    provides = frozenset({"all_but_the_prior_fixed"})

    def __init__(
        self,
        model: GenerativeModel,
        objective: Objective,
        schedule: Schedule | None = None,
        optimizer: AdamSettings | None = None,
    ) -> None:
        super().__init__(model, objective, schedule, optimizer)
        if not self.group_parameters("generative"):
            prior = model.parts()["prior"]
            raise ValueError(f"prior={prior.name}: has nothing to fit; choose one that is trained.")
        for module in self.group("inference"):
            module.requires_grad_(False)
        self.train(self.training)

    def group(self, name: Group) -> list[nn.Module]:
        priors = [module for module in self.model.children() if isinstance(module, Prior)]
        if name == "generative":
            return [*priors]
        return [module for module in self.model.children() if module not in priors]

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for module in self.group("inference"):
            module.eval()
        return self
