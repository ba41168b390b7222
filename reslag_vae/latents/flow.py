"""The prior that is a normalising flow."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.latents.estimated import ROWS, EstimatedPrior
from reslag_vae.latents.gaussian import DiagonalGaussian, bounded
from reslag_vae.options import require

Kind = Literal["coupling", "splines"]

# Smallest factor of an affine transformation, and the reciprocal of the largest: the numbers of
# many transformations in a row stay finite in float32.
SLOPE = 0.1

BINS = 8

# Share of a network's usual first weights in the layer that gives the transformation's parameters.
NEAR_IDENTITY = 0.001

# A gigabyte in float32.
MOST_WEIGHTS = 1 << 28


class FlowPrior(EstimatedPrior):
    """The prior that N(0, I) becomes under trained invertible maps of the latent.

    Xu et al. 2019, https://arxiv.org/abs/1905.13452. Each map's numbers for a dimension come from a
    masked network of other dimensions (zuko's `MaskedAutoregressiveTransform`). `coupling` is
    RealNVP's (Dinh et al. 2017, https://arxiv.org/abs/1605.08803): a scale and a shift, which half
    of the dimensions take from the other half, and that half from no other. `splines` are NSF's
    (Durkan et al. 2019, https://arxiv.org/abs/1906.04032): autoregressive monotonic splines of
    8 bins on [-5, 5], the identity outside; a sample takes d passes. The dimensions are in another
    order in each map. The prior starts near N(0, I) and is computed in the latents' own precision,
    also under autocast. It is trained by the KL to it: the loss must hold one.

    Args:
        latent_dim: d, the number of latent dimensions.
        kind: `coupling`, or `splines`.
        transforms: number of maps.
        hidden_features: widths of the hidden layers of each map's network.

    Raises:
        ValueError: an argument is out of its range, or there are too many weights.
        ConfigError: zuko is not installed.
    """

    name = "flow"
    requires = frozenset({"rate"})
    provides = frozenset({"flow"})

    def __init__(
        self,
        latent_dim: int,
        kind: Kind = "coupling",
        transforms: int = 8,
        hidden_features: list[int] | tuple[int, ...] = (256, 256),
    ) -> None:
        super().__init__(latent_dim)
        require("prior.kind", kind)
        require("prior.transforms", transforms)
        require("prior.hidden_features", hidden_features)
        check_weights(latent_dim, kind, transforms, hidden_features)
        self.kind = kind
        build = transform_builder(latent_dim, kind, hidden_features)
        # zuko looks at its masks while it builds, which a device without memory does not allow.
        with torch.device("cpu"):
            self.transforms = nn.ModuleList(
                build(order=order_of(latent_dim, i)) for i in range(transforms)
            )
        for transform in self.transforms:
            start_near_identity(transform)

    @property
    def notes(self) -> dict[str, str]:
        return {
            "p(z)": f"flow of {len(self.transforms)} {self.kind} maps, learned",
            "KL": "estimated by the one sample of each posterior, nats per image",
        }

    def log_prob(self, latents: Tensor) -> Tensor:
        noise, log_determinant = self.to_noise(latents)
        zeros = torch.zeros_like(noise)
        return DiagonalGaussian(zeros, zeros).log_prob(noise) + log_determinant

    def to_noise(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (B, d) noise that (B, d) latents are made of, by the inverse of `from_noise`.

        The second result is its (B,) log-determinant.
        """
        parts = [self._to_noise(part) for part in torch.split(latents, ROWS)]
        noise, log_determinants = zip(*parts, strict=True)
        return torch.cat(noise), torch.cat(log_determinants)

    def _to_noise(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        noise, log_determinant = latents, latents.new_zeros(len(latents))
        with torch.autocast(latents.device.type, enabled=False):
            for transform in self.transforms:
                noise, part = transform().call_and_ladj(noise)
                log_determinant = log_determinant + part
        return noise, log_determinant

    def samples_of(self, noise: Tensor) -> Tensor:
        latents = noise
        with torch.autocast(noise.device.type, enabled=False):
            for transform in reversed(self.transforms):
                latents = transform().inv(latents)
        return latents


def transform_builder(
    latent_dim: int, kind: Kind, hidden_features: list[int] | tuple[int, ...]
) -> Callable[..., nn.Module]:
    """Return a function that builds one map, given the order of its dimensions.

    Raises:
        ConfigError: zuko is not installed.
    """
    try:
        from zuko.flows.autoregressive import MaskedAutoregressiveTransform
        from zuko.transforms import MonotonicRQSTransform
    except ImportError:
        raise ConfigError("prior=flow: needs zuko, which is missing: pip install zuko.") from None
    build = partial(
        MaskedAutoregressiveTransform, latent_dim, hidden_features=list(hidden_features)
    )
    if kind == "coupling":
        return partial(build, passes=2, univariate=affine, shapes=[(), ()])
    shapes = [(BINS,), (BINS,), (BINS - 1,)]
    return partial(build, univariate=MonotonicRQSTransform, shapes=shapes)


def affine(shift: Tensor, scale: Tensor) -> Any:
    """Return zuko's affine transformation with a bounded shift, and a scale from 0.1 to 10."""
    from zuko.transforms import MonotonicAffineTransform

    return MonotonicAffineTransform(bounded(shift), scale, slope=SLOPE)


def order_of(latent_dim: int, index: int) -> Tensor:
    """Return the (d,) order of the dimensions in a map, the same in every flow.

    Each second map has the reverse of the one before, so that of two couplings in a row each
    dimension, but the middle one of an odd number, is transformed by others in one.
    """
    generator = torch.Generator().manual_seed(index // 2)
    order = torch.randperm(latent_dim, generator=generator, device="cpu")
    return order if index % 2 == 0 else latent_dim - 1 - order


def start_near_identity(transform: nn.Module) -> None:
    """Make the numbers small that a map starts with: at 0 it is the identity."""
    # Of one dimension they are parameters, of more the outputs of a network.
    network: Any = getattr(transform, "hyper", None)
    last = transform if network is None else network[-1]
    for parameter in last.parameters():
        parameter.data.mul_(NEAR_IDENTITY)


def check_weights(
    latent_dim: int, kind: Kind, transforms: int, hidden_features: list[int] | tuple[int, ...]
) -> None:
    """Refuse a flow that needs too much memory, before it is built.

    Raises:
        ValueError: the message names the options.
    """
    outputs = latent_dim * (2 if kind == "coupling" else 3 * BINS - 1)
    widths = itertools.pairwise([latent_dim, *hidden_features, outputs])
    weights = sum(inner * outer for inner, outer in widths)
    # The masks are made of a table of every number's dimensions.
    if max(transforms * weights, latent_dim * outputs) > MOST_WEIGHTS:
        raise ValueError(
            f"prior.transforms={transforms}, prior.hidden_features={list(hidden_features)}, "
            f"prior.latent_dim={latent_dim}: a flow of more than {MOST_WEIGHTS:,} weights; make "
            "them smaller."
        )
