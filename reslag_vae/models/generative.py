"""The interface of a generative model, with the operations that every model shares."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, Self, get_args

import torch
from torch import Tensor, nn

from reslag_vae._runtime.described import Described
from reslag_vae._runtime.images import as_images
from reslag_vae.latents import Inferred, Posterior
from reslag_vae.latents.inferred import joined
from reslag_vae.likelihoods import Likelihood
from reslag_vae.likelihoods.pixels import unit_interval
from reslag_vae.models.condition import Condition
from reslag_vae.models.latent_inputs import as_latents
from reslag_vae.models.number_inputs import check_count, check_generator, check_temperature

# The parameter groups: each has an optimizer of its own, and may stand still in an update.
Group = Literal["inference", "generative"]
GROUPS: tuple[Group, ...] = get_args(Group)


class GenerativeModel(Described, nn.Module, ABC):
    """A model of latents and images: p(x|z) p(z), and q(z|x).

    A final subclass defines how the model infers and generates, and which modules are in each
    parameter group. Everything else is given here.

    Attributes:
        image_shape: (C, H, W) of the images.
        level_dims: number of latent dimensions of each level, the top one first.
        noise_dims: number of standard normal numbers that a sample of each level's prior is made
            of.
        likelihood: p(x|z).
        deterministic: whether a posterior is a point: inference takes no noise and has no KL.
        binary_levels: numbers, from 0, of the levels whose latents are 0 or 1.
        top_down: whether the posterior of a level depends on the sample of those above.
        condition: what the model is told of an image; None unless it is conditional.
        conditions: (B, K) numbers that a conditional model is told of B images; None before it is
            `given` any.
    """

    image_shape: tuple[int, int, int]
    level_dims: tuple[int, ...]
    noise_dims: tuple[int, ...]
    likelihood: Likelihood
    deterministic: bool
    binary_levels: tuple[int, ...] = ()
    top_down: bool = False
    condition: Condition | None = None
    conditions: Tensor | None = None

    @abstractmethod
    def infer(self, images: Tensor, noise: tuple[Tensor, ...] | None = None) -> Inferred:
        """Return the latents of images.

        Args:
            images: (B, C, H, W) floating point in [0, 1].
            noise: (B · K, d_l) standard normal numbers of each level, for K samples of each image,
                next to each other; one sample is drawn if None.
        """

    def no_noise(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the (B, d_l) zeros of noise of each level, for one sample of each of B images.

        Each level is then inferred from the mean of the one above, or of binary units from the
        likelier values.
        """
        return tuple(images.new_zeros(len(images), width) for width in self.level_dims)

    def infer_and_decode(
        self, images: Tensor, noise: tuple[Tensor, ...] | None = None
    ) -> tuple[Inferred, Tensor]:
        """Return the latents of images, and the likelihood's (B, P, H, W) parameters for these.

        They are those of `parameters_of`, which a model may have at hand.

        Args:
            images: as for `infer`.
            noise: as for `infer`.
        """
        inferred = self.infer(images, noise)
        return inferred, self.parameters_of(inferred.latents)

    @abstractmethod
    def parameters_of(self, latents: tuple[Tensor, ...]) -> Tensor:
        """Return the likelihood's (B, P, H, W) parameters.

        Args:
            latents: (B, d_l) latents of each level.
        """

    @abstractmethod
    def from_noise(self, noise: tuple[Tensor, ...], temperature: float = 1.0) -> tuple[Tensor, ...]:
        """Return (B, d_l) samples of the prior for each level, each a function of its own noise.

        Args:
            noise: (B, n) standard normal numbers of each level, with n as in `noise_dims`.
            temperature: of the prior, as for `Prior.from_noise`, and of every level below it.
        """

    @abstractmethod
    def groups(self) -> dict[Group, list[nn.Module]]:
        """Return the modules of each parameter group; every parameter is in exactly one group."""

    @abstractmethod
    def parts(self) -> dict[str, Any]:
        """Return the parts by their groups on the command line, as in `likelihood=<name>`."""

    @property
    def architecture(self) -> str:
        """The model's name on the objective card."""
        return type(self).__name__

    @property
    def dimensions(self) -> int:
        """The number D of numbers in an image."""
        return math.prod(self.image_shape)

    @property
    def latent_dim(self) -> int:
        """The number d of latent dimensions of all levels."""
        return sum(self.level_dims)

    @property
    def binary(self) -> Tensor:
        """(d,) truth values: which latents are 0 or 1."""
        levels = enumerate(self.level_dims)
        return torch.tensor([i in self.binary_levels for i, own in levels for _ in range(own)])

    @property
    def parameter(self) -> Tensor:
        """A parameter of the model, which shows its precision and its device."""
        return next(self.parameters())

    def told(self, conditions: Tensor) -> Self:
        """Return the conditional model of images of which something is told, without checks.

        It is a view, which shares all weights.

        Args:
            conditions: (B, K) numbers of B images: see `Condition.numbers`.

        Raises:
            NotImplementedError: the model is not one of those that can be conditional.
        """
        raise NotImplementedError(f"{type(self).__name__}: is not conditional.")

    def given(self, conditions: Any) -> Self:
        """Return the model p(x|y) of images of which y is told: an ordinary model.

        It takes and gives as many images as it was told of, or any number where it was told of one.
        It shares all weights with this one.

        Args:
            conditions: the name or the number of a class, or a list or an array of these, one for
                each image; attributes by name, as in {"Smiling": True}, or a list of the names that
                an image has, or (B, K) numbers from 0 to 1.

        Raises:
            ValueError: the model is not conditional, or knows no such class or attribute.
        """
        if self.condition is None:
            raise ValueError("the model is not conditional: it was trained without condition=.")
        return self.told(self.condition.read(conditions).to(self.parameter))

    def check_told(self, count: int) -> None:
        """Look whether the model was told of so many images, of one, or of none.

        Raises:
            ValueError: it was told of another number.
        """
        if self.conditions is not None and len(self.conditions) not in (1, count):
            raise ValueError(
                f"the model was told of {len(self.conditions)} image(s), and these are {count}."
            )

    def for_samples(self, count: int) -> Self:
        """Return the model of so many samples: of one class after the other if it is told none."""
        if self.condition is None or self.conditions is not None:
            return self
        rows = self.condition.of_samples(count)
        return self if rows is None else self.told(rows.to(self.parameter))

    def sample_latents(
        self,
        count: int,
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
    ) -> tuple[Tensor, ...]:
        """Draw (count, d_l) latents of each level from the prior, on the model's device.

        Args:
            count: number of samples.
            generator: generator on the CPU, where the noise is then drawn; None for PyTorch's own
                on the model's device.
            temperature: as for `from_noise`.
        """
        own = self.parameter
        device = own.device if generator is None else torch.device("cpu")
        noise = tuple(
            torch.randn(count, width, generator=generator, dtype=torch.float32, device=device)
            for width in self.noise_dims
        )
        return self.from_noise(tuple(values.to(own) for values in noise), temperature)

    def levels(self, code: Tensor) -> tuple[Tensor, ...]:
        """Return the (B, d_l) latents of each level of (B, d) codes."""
        return torch.split(code, list(self.level_dims), dim=1)

    def parameters_at(self, code: Tensor) -> Tensor:
        """Return the likelihood's (B, P, H, W) parameters for (B, d) latents, without checks.

        Latents that have few values take the nearest ones: see `nearest`.
        """
        return self.parameters_of(self.levels(self.nearest(code)))

    def nearest(self, code: Tensor) -> Tensor:
        """Return the nearest latents that there are to (B, d) numbers: of a binary one 0 or 1."""
        if not self.binary_levels:
            return code
        return torch.where(self.binary.to(code.device), (code > 0.5).to(code), code)

    def image_of(self, code: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the (B, C, H, W) images of (B, d) latents, without checks.

        See `Likelihood.image`.
        """
        return self.likelihood.image(self.parameters_at(code), generator)

    def log_likelihood(self, images: Tensor, code: Tensor) -> Tensor:
        """Return the (B,) log p(x|z) in nats of (B, C, H, W) images and their (B, d) latents."""
        return self.likelihood.log_prob(images, self.parameters_at(code))

    # What training calls

    def posteriors(self) -> list[Posterior]:
        """Return the maps to each level's posterior."""
        return [module for module in self.modules() if isinstance(module, Posterior)]

    def vectors_to_start_from(self, images: Tensor) -> Iterable[tuple[Posterior, Tensor]]:
        """Return the posteriors that may start from clusters, and the (M, width) vectors of these.

        Each one's vectors are computed when it is asked for: they may depend on those that have
        started before it.

        Args:
            images: (B, C, H, W) training images in [0, 1].
        """
        return []

    def end_update(self, groups: Sequence[Group]) -> None:
        """Take note of an update of some groups that has ended."""
        if "inference" in groups:
            for posterior in self.posteriors():
                if posterior.training:
                    posterior.end_update()

    # What others call: each looks at what it is given, once. `as_images` says what is taken for
    # images.

    def save(self, folder: str | Path) -> None:
        """Write the model into a new folder, as files without code: `reslag_vae.load` reads it.

        The weights are written in float32.

        Args:
            folder: the new folder. It may exist if it is empty.

        Raises:
            RunError: the folder holds something, the model is made of modules of the user's own
                that are no subclass of this package's parts, or its weights are not finite.
            WriteError: the folder cannot be written.
        """
        from reslag_vae.runs.save import save  # the one step up: a file is a run's business

        save(self, folder)

    def encode(self, images: Any) -> Tensor:
        """Return the (B, d) posterior means of (B, C, H, W) images.

        Raises:
            ValueError: the images have another shape than the model's, or values that pixels cannot
                have, or they are greys and the likelihood takes black and white alone; or the model
                was told of another number of images.
        """
        taken = as_images(images, self.image_shape, self.likelihood.binary)
        given = on_model(taken, self.parameter)
        self.check_told(len(given))
        return joined(self.infer(given, self.no_noise(given)).means)

    def decode(self, latents: Any, generator: torch.Generator | None = None) -> Tensor:
        """Return the (B, C, H, W) images in [0, 1] of (B, d) latents: see `image_of`.

        Args:
            latents: (B, d).
            generator: of the samples, on the CPU, where the likelihood has no mean; None draws the
                same numbers at each call.

        Raises:
            ValueError: the latents are not finite, or have another dimension than the model's; or
                the generator is not on the CPU; or the model was told of another number of images.
        """
        check_generator(generator)
        taken = as_latents(latents, self.latent_dim, self.parameter)
        self.check_told(len(taken))
        return self.image_of(taken, generator)

    def reconstruct(self, images: Any) -> Tensor:
        """Return the (B, C, H, W) images decoded from the posterior means of images.

        Raises:
            ValueError: the images are none that `encode` takes.
        """
        return self.image_of(self.encode(images))

    def sample(
        self,
        count: int,
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """Return (count, C, H, W) images decoded from the prior.

        Those of a model that is conditional on classes are of one class after the other, unless it
        is `given` others.

        Args:
            count: number of images.
            generator: generator on the CPU, so that the same seed gives the same latents on every
                device.
            temperature: factor of the standard deviations of all levels, of a mixture of those
                within its components, from 0 to 1,000,000; discrete latents are the likelier the
                lower it is.

        Raises:
            ValueError: the count is not a whole number of at least 1, the generator is not on the
                CPU, the temperature is no such number, or the model was told of another number of
                images.
        """
        count, temperature = check_count("count", count), check_temperature(temperature)
        check_generator(generator)
        self.check_told(count)
        # Drawn on the CPU also without a generator of the caller's.
        source = torch.default_generator if generator is None else generator
        latents = self.sample_latents(count, source, temperature)
        return self.for_samples(count).image_of(joined(latents), source)

    def interpolate(self, start: Any, end: Any, steps: int = 8) -> Tensor:
        """Return (steps, C, H, W) images on the line between two images' posterior means.

        Where images are samples, all steps are by the same random numbers: what differs between
        them is the latents' doing.

        Raises:
            ValueError: an end is not one image that `encode` takes, or the number of steps is not a
                whole number of at least 1.
        """
        steps = check_count("steps", steps)
        first, last = self.encode(start), self.encode(end)
        if len(first) != 1 or len(last) != 1:
            raise ValueError(
                f"images: one for each end is wanted, and these are {len(first)} and {len(last)}."
            )
        weights = torch.linspace(0, 1, steps, dtype=first.dtype, device=first.device)[:, None]
        codes = first.lerp(last, weights)
        parts = [codes] if self.likelihood.has_mean else torch.split(codes, 1)
        return torch.cat([self.image_of(part) for part in parts])


def on_model(images: Tensor, parameter: Tensor) -> Tensor:
    """Return images in [0, 1] in the precision and on the device of a model's parameter."""
    return unit_interval(images.to(parameter.device)).to(parameter.dtype)
