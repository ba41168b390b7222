"""What is evaluated, and what its numbers and pictures share."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from reslag_vae.data import ImageDataModule, Images
from reslag_vae.data.base import SplitName
from reslag_vae.evaluation.codes import Codes, encode
from reslag_vae.evaluation.epoch import measure_yardstick
from reslag_vae.evaluation.metrics.bounds import Bounds, importance_weighted_bound
from reslag_vae.evaluation.metrics.mixture import CodeMixture
from reslag_vae.evaluation.metrics.quality import Quality, reconstruction_quality
from reslag_vae.evaluation.progress import Progress, silent, tracked
from reslag_vae.latents.base import joined, normal_rows
from reslag_vae.likelihoods import FixedVariance, Gaussian, Likelihood
from reslag_vae.models import GenerativeModel
from reslag_vae.objectives import Objective

OWN = "the model's own"


class Settings(NamedTuple):
    """What an evaluation depends on beside the model and its data.

    Attributes:
        split: that is evaluated.
        samples: K of the importance-weighted bound.
        reference: of the split's images, the most whose codes are compared with each other and
            whose likelihood is bounded; so many samples are drawn from the model at most.
        train_images: of the training images, the most whose codes are used.
        seed: of every random number.
    """

    split: SplitName = "test"
    samples: int = 512
    reference: int = 10_000
    train_images: int = 20_000
    seed: int = 0


@dataclass(frozen=True)
class Subject:
    """A model and its data. What several numbers or pictures are made from is computed once, when first asked for."""

    model: GenerativeModel
    objective: Objective
    data: ImageDataModule
    settings: Settings
    progress: Progress = silent

    @property
    def images(self) -> Images:
        """The evaluated split."""
        return self.data.split(self.settings.split)

    @property
    def of_split(self) -> str:
        """The start of the protocol of a number of all images of the split."""
        return f"{self.settings.split} split, {len(self.images):,} images"

    @property
    def of_reference(self) -> str:
        """The start of the protocol of a number of `reference`."""
        return f"{self.settings.split} split, {len(self.reference):,} images, seed {self.settings.seed}"

    @property
    def labelled(self) -> bool:
        """Whether the images have classes."""
        return self.data.num_classes > 1

    @cached_property
    def classes_are_trained_on(self) -> bool:
        """Whether any class of the evaluated split is one of train's, or there are no classes.

        Those of Omniglot's official evaluation set are not.
        """
        known = torch.isin(self.images.labels, self.data.split("train").labels)
        return bool(known.any())

    @property
    def of_other_classes(self) -> str:
        """The reason for numbers that are missing where the classes are not trained on."""
        return f"no class of the {self.settings.split} split is one of train's"

    @cached_property
    def train_positions(self) -> Tensor:
        """Where in the training split its images are that are used: a random part if there are more than are wanted."""
        return drawn(len(self.data.split("train")), self.settings.train_images, self.settings.seed)

    @property
    def train_images(self) -> Images:
        """The training images whose codes are used."""
        return self.data.split("train").part(self.train_positions)

    @cached_property
    def reference(self) -> Images:
        """Images of the evaluated split, or a part of them, in random order: the first of them stand for all."""
        order = np.random.default_rng(self.settings.seed).permutation(len(self.images))
        return self.images.part(torch.from_numpy(order[: self.settings.reference]))

    @cached_property
    def codes(self) -> Codes:
        """Of `reference`."""
        return encode(self.model, self.reference, self.settings.seed, self.progress)

    @cached_property
    def train_codes(self) -> Codes:
        """Of `train_images`."""
        return encode(self.model, self.train_images, self.settings.seed + 1, self.progress)

    @cached_property
    def train_mse(self) -> float:
        """The yardstick's variance, measured on the whole training split."""
        batches = tracked(self.data.in_order("train"), "yardstick on train", self.progress)
        return measure_yardstick(self.model, self.objective, batches)

    @cached_property
    def likelihood(self) -> Likelihood:
        """The likelihood that the bound is taken with."""
        own = self.model.likelihood.evaluated(self.objective.kl_weight(self.model.latent_dim))
        return Gaussian(FixedVariance(torch.tensor(self.train_mse))) if own is None else own

    @cached_property
    def whose_likelihood(self) -> str:
        """What `likelihood` is, for the protocol of a number."""
        if self.likelihood.sigma2 is None:
            return f"likelihood={self.likelihood.name}"
        own = self.model.likelihood.evaluated(self.objective.kl_weight(self.model.latent_dim))
        measured = "the mean squared error on train, for want of an own"
        return f"sigma2 is {measured if own is None else OWN}"

    @cached_property
    def bounds(self) -> Bounds:
        """Of `reference`."""
        settings = self.settings
        return importance_weighted_bound(
            self.model,
            self.reference,
            settings.samples,
            self.likelihood,
            settings.seed,
            self.progress,
        )

    @cached_property
    def quality(self) -> Quality:
        """Of the reconstructions of the evaluated split."""
        return reconstruction_quality(self.model, self.images, self.progress)

    @cached_property
    def prior_latents(self) -> Tensor:
        """(len(reference), d) samples of the prior on the CPU.

        Under N(0, I) they are the same for every model of the same d.
        """
        generator = torch.Generator().manual_seed(self.settings.seed)
        with torch.no_grad():
            widths = self.model.noise_dims
            rows = tuple(normal_rows(len(self.reference), width, generator) for width in widths)
            noise = tuple(values.to(self.model.parameter) for values in rows)
            return joined(self.model.from_noise(noise)).cpu()

    @cached_property
    def mixture(self) -> CodeMixture:
        """A Gaussian mixture fitted to samples of the training images' posteriors."""
        with self.progress("Gaussian mixture of the codes", None):
            return CodeMixture(self.train_codes.latents, seed=self.settings.seed)

    @cached_property
    def mixture_latents(self) -> Tensor:
        """(len(reference), d) samples of the mixture."""
        return self.mixture.sample(len(self.reference), self.settings.seed)


def drawn(count: int, most: int, seed: int) -> Tensor:
    """The numbers from 0 to `count`, or `most` of them at random, in their order."""
    if count <= most:
        return torch.arange(count)
    chosen = np.random.default_rng(seed).choice(count, most, replace=False)
    return torch.from_numpy(np.sort(chosen))
