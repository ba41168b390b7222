"""The interfaces of latents: densities, posteriors and priors."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, Self

from torch import Tensor, nn

from reslag_vae._runtime.described import Described


def straight_through(values: Tensor, source: Tensor) -> Tensor:
    """Return `values`, bit for bit, with the gradient of `source` (Bengio et al. 2013).

    https://arxiv.org/abs/1308.3432.

    Args:
        values: (...) numbers without a gradient, such as rounded ones.
        source: (...) finite numbers that they were made of.
    """
    # A difference of equals is exactly 0.
    return values + (source - source.detach())


class Density(Protocol):
    """A density over latents, one for each image or one for all, with PyTorch's names."""

    @property
    def mean(self) -> Tensor:
        """The (B, d) means, or the (d,) mean if it is the same for all images."""

    @property
    def variance(self) -> Tensor:
        """(B, d), or (d,) where it is the same for all images: of each dimension by itself."""

    def log_prob(self, latents: Tensor) -> Tensor:
        """Return the (B,) log-density of (B, d) latents, in nats."""


class PosteriorDensity(Density, Protocol):
    """The posteriors q(z|x) of B images."""

    @property
    def has_density(self) -> bool:
        """Whether there is a `log_prob`, and hence a KL; False if all mass lies on a point."""

    @property
    def log_variance(self) -> Tensor | None:
        """The (B, d) logarithms of the variances of a diagonal Gaussian; None for others."""

    def rsample(self, noise: Tensor | None = None) -> Tensor:
        """Return a (B, d) reparametrised sample.

        Args:
            noise: (B, d) standard normal numbers; drawn if None.
        """

    def standard_kl(self) -> Tensor | None:
        """Return the (B, d) KL to N(0, I) of each dimension in nats; None without a closed form."""

    def repeat(self, count: int) -> Self:
        """Return the posteriors of (B · count) images: each image's, `count` times in a row."""


class LevelDensity(PosteriorDensity, Protocol):
    """Independent densities of each dimension, of a posterior or of a prior given levels above."""

    def from_noise(self, noise: Tensor, temperature: float) -> Tensor:
        """Return a (B, d) sample.

        Args:
            noise: (B, d) standard normal numbers.
            temperature: as for `Prior.from_noise`.
        """

    def log_probs(self, latents: Tensor) -> Tensor:
        """Return the (B, d) log-density of each dimension of (B, d) latents, in nats."""

    def kl(self, prior: Self) -> Tensor:
        """Return the (B, d) KL(q || p) of each dimension to another density of the kind, in nats.

        Args:
            prior: p.
        """

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the densities over the dimensions of all parts, one after the other."""

    def split(self, widths: Sequence[int]) -> list[Self]:
        """Return the densities of parts of the dimensions, of widths that sum to d."""


class Posterior(Described, nn.Module, ABC):
    """A map from the inference network's numbers to the posterior q(z|x).

    Its parameters are in the inference group.

    Attributes:
        name: name of the posterior, as in `posterior=<name>` on the command line.
        requires: capabilities that the other parts must provide, such as `binary_prior`.
        provides: capabilities that other parts and variants may require.
        parameters_per_latent: numbers that the network gives for each latent dimension.
        clusters: number of clusters of the untrained network's vectors that it starts from; 0 for
            none.
    """

    name: ClassVar[str]
    requires: ClassVar[frozenset[str]] = frozenset()
    provides: ClassVar[frozenset[str]] = frozenset()
    parameters_per_latent: ClassVar[int]
    clusters: int = 0

    @abstractmethod
    def forward(self, features: Tensor) -> PosteriorDensity:
        """Return q(z|x) from (B, d · parameters_per_latent) numbers."""

    def penalties(self, density: PosteriorDensity) -> dict[str, Tensor]:
        """Return further (B,) costs of training by name, beside the KL, in the objective's unit.

        Args:
            density: what `forward` has returned for the images.
        """
        return {}

    def start(self, centres: Tensor) -> None:
        """Start from the centres of clusters of the untrained network's vectors.

        Args:
            centres: (clusters, width) vectors.
        """

    def end_update(self) -> None:
        """Take note of an update of the inference group that has ended."""


class LevelPosterior(Posterior):
    """A posterior of the levels of a hierarchy, whose priors below the top are of the same kind.

    A subclass that provides more adds it to `LevelPosterior.provides`: hierarchies require these.
    """

    provides = frozenset({"density", "level_priors"})

    @abstractmethod
    def forward(self, features: Tensor) -> LevelDensity:
        """Return q(z|x) from (B, d · parameters_per_latent) numbers."""

    @abstractmethod
    def prior_of(self, numbers: Tensor) -> LevelDensity:
        """Return p(z|z above) of a level below the top.

        Args:
            numbers: (B, d · parameters_per_latent) of the generative network.
        """

    def given(self, features: Tensor, prior: LevelDensity) -> LevelDensity:
        """Return q(z|x, z above) of a level below the top.

        It is that of the numbers alone, unless a subclass pairs it with the prior of the level.

        Args:
            features: (B, d · parameters_per_latent) numbers.
            prior: p(z|z above), for B latents above.
        """
        density: LevelDensity = self(features)
        return density


class Level(NamedTuple):
    """A level of latents, as its prior sees it.

    Attributes:
        posterior: map from the network's numbers to q(z|x).
        latent_dim: d, the number of latent dimensions.
        encoder: map from (B, C, H, W) images to the posterior's numbers; None where it takes more
            than images.
        grid: (H, W) of the positions of a grid of vectors; None of latents without places.
        above: (C, H, W) of the context, the latents of the level above; None of the top level.
    """

    posterior: Posterior
    latent_dim: int
    encoder: nn.Module | None = None
    grid: tuple[int, int] | None = None
    above: tuple[int, int, int] | None = None


class Prior(Described, nn.Module, ABC):
    """A prior p(z), or p(z|context) in a hierarchy.

    Its parameters are in the generative group.

    Args:
        latent_dim: d, the number of latent dimensions.
        noise_dim: number of standard normal numbers that a sample is made of; None for d.

    Attributes:
        name: name of the prior, as in `prior=<name>` on the command line.
        requires: capabilities that the other parts must provide, so that all of its parameters are
            trained.
        provides: capabilities that other parts and variants may require.
    """

    name: ClassVar[str]
    requires: ClassVar[frozenset[str]] = frozenset()
    provides: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, latent_dim: int, noise_dim: int | None = None) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.noise_dim = latent_dim if noise_dim is None else noise_dim

    @property
    def notes(self) -> dict[str, str]:
        """Lines of the objective card, label -> text; none for N(0, I)."""
        return {}

    def bind(self, level: Level) -> None:
        """Take note of the model's level of latents, of which a prior may be made.

        A model calls it once. The modules stay the model's: a prior does not register them.

        Args:
            level: the level that the prior is of.
        """

    @abstractmethod
    def forward(self, context: Tensor | None = None) -> Density:
        """Return the density of the prior.

        Args:
            context: (B, d') latents of the level above; None at the top, and for a prior that does
                not depend on them.
        """

    @abstractmethod
    def from_noise(
        self, noise: Tensor, temperature: float = 1.0, context: Tensor | None = None
    ) -> Tensor:
        """Return (B, d) samples, each a function of its own row of noise and of context.

        Args:
            noise: (B, noise_dim) standard normal numbers.
            temperature: factor of the standard deviations, of a mixture of those within its
                components; where latents are discrete, what their logits are divided by. 1 leaves
                the prior as it is.
            context: (B, d') latents of the level above, as for `forward`.
        """

    def kl(self, posterior: PosteriorDensity, context: Tensor | None = None) -> Tensor | None:
        """Return the (B, d) KL(q || p) of each dimension in nats; None without a closed form.

        Args:
            posterior: the posteriors of B images.
            context: (B, d') latents of the level above, as for `forward`.
        """
        return None


def repeated(tensors: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """Return tensors with each row repeated `count` times in a row."""
    return tuple(tensor.repeat_interleave(count, 0) for tensor in tensors)
