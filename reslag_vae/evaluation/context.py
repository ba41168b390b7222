"""The subject of an evaluation: a model with its data, and what its numbers and pictures share."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from reslag_vae.data import ImageDataModule, Images
from reslag_vae.data.base import SplitName
from reslag_vae.data.images import Batch
from reslag_vae.evaluation.codes import Codes, decode, encode
from reslag_vae.evaluation.epoch import measure_yardstick
from reslag_vae.evaluation.iteration import (
    chunk_size,
    chunks,
    device_of,
    of_rows,
    told_of_split,
)
from reslag_vae.evaluation.metrics.bounds import Bounds, importance_weighted_bound
from reslag_vae.evaluation.metrics.mixture import CodeMixture
from reslag_vae.evaluation.metrics.quality import Quality, reconstruction_quality
from reslag_vae.evaluation.metrics.sharpness import ReconstructionSpectra, reconstruction_spectra
from reslag_vae.evaluation.metrics.spectra import Spectra, spectra
from reslag_vae.evaluation.progress import Progress, silent, tracked
from reslag_vae.evaluation.settings import Settings
from reslag_vae.latents import CodePosterior
from reslag_vae.latents.inferred import joined
from reslag_vae.latents.noise import normal_rows
from reslag_vae.likelihoods import FixedVariance, Gaussian, Likelihood
from reslag_vae.models import GenerativeModel
from reslag_vae.objectives import Objective

# Images that are decoded at a time: a bound on the memory.
DECODED = 2048
# Of a number that no latents are drawn for, in its protocol.
EXACT = "exact, since there are no latents"
# Of a number whose latents are codes.
CODES = "with each image's codes, which are all samples of its posterior"


@dataclass(frozen=True)
class Subject:
    """A model and its data, with what several numbers or pictures are made from.

    That is computed once, when it is first asked for.

    Attributes:
        model: the evaluated model.
        objective: the objective that it was trained with.
        data: the data that it is evaluated on.
        settings: what the numbers depend on beside these.
        progress: shows how far a computation is.
    """

    model: GenerativeModel
    objective: Objective
    data: ImageDataModule
    settings: Settings
    progress: Progress = silent

    @property
    def images(self) -> Images:
        """The images of the evaluated split."""
        return self.data.split(self.settings.split)

    @property
    def split_words(self) -> str:
        """The whole split in words, for a number that the model has no part in."""
        return f"{self.settings.split} split, {len(self.images):,} images"

    @property
    def split_protocol(self) -> str:
        """The start of the protocol of a number of the model on the whole split."""
        return f"{self.split_words}{self.told_protocol}"

    @property
    def reference_protocol(self) -> str:
        """The start of the protocol of a number that is measured on the reference images."""
        split, seed = self.settings.split, self.settings.seed
        count = len(self.reference)
        return f"{split} split, {count:,} images{self.told_protocol}, seed {seed}"

    @property
    def told_protocol(self) -> str:
        """The part of a protocol that says what a conditional model is told."""
        condition = self.model.condition
        return "" if condition is None else f", given {condition.words}"

    @property
    def labelled(self) -> bool:
        """Whether the images have classes."""
        return self.data.num_classes > 1

    @cached_property
    def classes_are_trained_on(self) -> bool:
        """Whether any class of the evaluated split is one of train's, or there are no classes.

        The characters of Omniglot's official evaluation set are not among those of train.
        """
        own = self.images.labels
        own = own[own >= 0]
        return not len(own) or bool(torch.isin(own, self.data.split("train").labels).any())

    @property
    def other_classes_protocol(self) -> str:
        """The reason why a number is missing where the classes are not trained on."""
        return f"no class of the {self.settings.split} split is one of train's"

    def batches(self, split: SplitName) -> DataLoader[Batch]:
        """Return the batches in which losses are measured, each image of a split once, in order.

        They are as large as fits the device. A statistic of the minibatch, as the MMD, is one of
        the minibatches of training.

        Args:
            split: the split.
        """
        size = None
        if not self.objective.draws_prior:
            size = chunk_size(self.model.dimensions, device_of(self.model))
        return self.data.in_order(split, size)

    @cached_property
    def train_positions(self) -> Tensor:
        """Positions in the training split of the images whose codes are used, in order.

        They are all positions, or a random part of them.
        """
        count, most = len(self.data.split("train")), self.settings.train_images
        return random_positions(count, most, self.settings.seed)

    @property
    def train_images(self) -> Images:
        """The training images whose codes are used."""
        return self.data.split("train").part(self.train_positions)

    @cached_property
    def reference(self) -> Images:
        """The reference images: those of the evaluated split, or a part of them, in random order.

        The first of them therefore stand for all.
        """
        order = np.random.default_rng(self.settings.seed).permutation(len(self.images))
        return self.images.part(torch.from_numpy(order[: self.settings.reference]))

    @cached_property
    def told(self) -> GenerativeModel:
        """The model; a conditional one is told of the reference images.

        Its samples, as many, have the classes or attributes of these.
        """
        return told_of_split(self.model, self.reference)

    @cached_property
    def codes(self) -> Codes:
        """The codes of the reference images."""
        return encode(self.model, self.reference, self.settings.seed, self.progress)

    @cached_property
    def train_codes(self) -> Codes:
        """The codes of the training images that are used."""
        return encode(self.model, self.train_images, self.settings.seed + 1, self.progress)

    @cached_property
    def train_mse(self) -> float:
        """Mean squared error per number on the training split, the variance of the yardstick."""
        batches = tracked(self.batches("train"), "yardstick on train", self.progress)
        return measure_yardstick(self.model, self.objective, batches)

    @property
    def own_likelihood(self) -> Likelihood | None:
        """The likelihood of the model itself; None if model and objective imply no variance."""
        return self.model.likelihood.evaluated(self.objective.kl_weight(self.model.latent_dim))

    @cached_property
    def likelihood(self) -> Likelihood:
        """The likelihood that the bound is taken with: the model's own, or the yardstick's."""
        own = self.own_likelihood
        return Gaussian(FixedVariance(torch.tensor(self.train_mse))) if own is None else own

    @cached_property
    def likelihood_protocol(self) -> str:
        """The part of a protocol that says which likelihood the bound is taken with."""
        if self.likelihood.sigma2 is None:
            return f"likelihood={self.likelihood.name}"
        if self.own_likelihood is None:
            return "sigma2 is the mean squared error on train, since the model has none of its own"
        return "sigma2 is the model's own"

    @property
    def discrete(self) -> bool:
        """Whether all latents are codes."""
        posteriors = self.model.posteriors()
        return bool(posteriors) and all(isinstance(own, CodePosterior) for own in posteriors)

    @property
    def samples_protocol(self) -> str:
        """The part of a protocol that says how many samples the bound is taken with."""
        if not self.model.latent_dim:
            return EXACT
        if self.discrete:
            return CODES
        samples = f"{self.settings.samples} samples of each posterior"
        provided = getattr(self.model.parts().get("prior"), "provides", ())
        return f"{samples}, whose log p(z) is bounded, too" if "bound" in provided else samples

    @property
    def images_protocol(self) -> str:
        """The end of a protocol of decoded codes: what is rounded, and that they are samples."""
        binary = "; binary latents by the nearer of 0 and 1" if self.model.binary_levels else ""
        if self.model.likelihood.has_mean:
            return binary
        return (
            f"{binary}; one sample each, since likelihood={self.model.likelihood.name} has no mean"
        )

    @cached_property
    def bounds(self) -> Bounds:
        """The importance-weighted bounds of the reference images."""
        settings = self.settings
        once = self.discrete or not self.model.latent_dim  # all samples would be alike
        return importance_weighted_bound(
            self.model,
            self.reference,
            1 if once else settings.samples,
            self.likelihood,
            settings.seed,
            self.progress,
        )

    @cached_property
    def quality(self) -> Quality:
        """The quality of the reconstructions of the evaluated split."""
        return reconstruction_quality(self.model, self.images, self.progress)

    @cached_property
    def prior_latents(self) -> Tensor:
        """Samples of the prior, (N, d) on the CPU, as many as there are reference images.

        Under N(0, I) they are the same for every model of the same d.
        """
        generator = torch.Generator().manual_seed(self.settings.seed)
        with torch.no_grad():
            widths = self.model.noise_dims
            rows = tuple(normal_rows(len(self.reference), width, generator) for width in widths)
            noise = tuple(values.to(self.model.parameter) for values in rows)
            return joined(self.model.from_noise(noise)).cpu()

    def decoded(self, latents: Tensor) -> Iterator[Tensor]:
        """Yield the (B, C, H, W) images of (N, d) latents on the CPU, some at a time.

        There are no more latents than reference images, of whose classes or attributes a
        conditional model makes them.
        """
        generator = torch.Generator().manual_seed(self.settings.seed)
        for rows in torch.split(torch.arange(len(latents)), DECODED):
            yield decode(of_rows(self.told, rows), latents[rows], generator=generator)

    @cached_property
    def reconstruction_spectra(self) -> ReconstructionSpectra:
        """The powers of the reference images and of their reconstructions."""
        return reconstruction_spectra(self.model, self.reference, self.progress)

    @cached_property
    def sample_spectra(self) -> Spectra:
        """The powers of samples of the prior, as many as there are reference images."""
        with self.progress("spectra of samples", None):
            return spectra(self.decoded(self.prior_latents))

    @cached_property
    def reference_spectra(self) -> Spectra:
        """The powers of the reference images."""
        if self.model.latent_dim:
            return self.reconstruction_spectra.originals
        return spectra(chunks(self.reference, torch.device("cpu")))

    @cached_property
    def mixture(self) -> CodeMixture:
        """A Gaussian mixture fitted to samples of the training images' posteriors."""
        with self.progress("Gaussian mixture of the codes", None):
            return CodeMixture(self.train_codes.latents, seed=self.settings.seed)

    @cached_property
    def mixture_latents(self) -> Tensor:
        """Samples of `mixture`, (N, d) on the CPU, as many as there are reference images."""
        return self.mixture.sample(len(self.reference), self.settings.seed)


def random_positions(count: int, most: int, seed: int) -> Tensor:
    """Return the numbers from 0 to `count` - 1, or a random part of them, in rising order.

    Args:
        count: the number of positions.
        most: the number of positions returned, at most.
        seed: seed of the random part.
    """
    if count <= most:
        return torch.arange(count)
    chosen = np.random.default_rng(seed).choice(count, most, replace=False)
    return torch.from_numpy(np.sort(chosen))
