"""The interface of networks of several levels of latents: a pass upwards, and one downwards."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from reslag_vae.networks.base import ImageShape, Network


class BottomUp(nn.Module, ABC):
    """The inference module of a hierarchy, from images to the posteriors' numbers."""

    @abstractmethod
    def features(self, images: Tensor) -> list[Tensor]:
        """Return what each level is inferred from, a tensor of B rows each, the top level first.

        Args:
            images: (B, C, H, W) images in [0, 1].
        """

    @abstractmethod
    def numbers(self, level: int, features: Tensor, above: Tensor | None) -> Tensor:
        """Return the (B, parameters) of the posterior of a level.

        Args:
            level: number of the level, from 0, the top.
            features: what `features` gave for the level.
            above: (B, F, h, w) features of the latents above, from the generative module; None at
                the top.
        """


class TopDown(nn.Module, ABC):
    """The generative module of a hierarchy, from latents to the likelihood's parameters.

    It sees nothing but latents, and a level only those above it.

    Args:
        level_dims: dimensions of each level, top first.
    """

    def __init__(self, level_dims: tuple[int, ...]) -> None:
        super().__init__()
        self.level_dims = level_dims

    @abstractmethod
    def join(self, level: int, above: Tensor | None, latents: Sequence[Tensor]) -> Tensor:
        """Return the features of the latents down to a level.

        Args:
            level: number of the level, from 0, the top.
            above: (B, F, h, w) features of the latents above; None at the top.
            latents: (B, d_l) latents of the levels down to this one, top first.

        Returns:
            (B, F', h', w') features, at the place of the next level; after the last level the
            (B, outputs, H, W) likelihood parameters.
        """

    @abstractmethod
    def numbers(self, level: int, above: Tensor) -> Tensor:
        """Return the (B, d_l · parameters_per_latent) numbers of the prior of a level.

        Args:
            level: number of the level, from 1: the prior of the top is no network's.
            above: (B, F, h, w) features of the latents above.
        """

    def forward(self, latents: Tensor) -> Tensor:
        """Return the (B, outputs, H, W) likelihood parameters of (B, d) latents of all levels."""
        features: Tensor | None = None
        levels = torch.split(latents, list(self.level_dims), dim=1)
        for level in range(len(levels)):
            features = self.join(level, features, levels[: level + 1])
        assert features is not None, "there is at least one level"
        return features


class HierarchicalNetwork(Network):
    """The base class of networks whose levels are generated one given the other.

    Args:
        inference: the pass upwards.
        generative: the pass downwards.
        image_shape: (C, H, W) of the images.
        level_dims: dimensions of each level, top first.
        parameters_per_latent: 2 for mean and log-variance, 1 for the logit of a binary unit, of
            posteriors and of priors given the levels above.
        parameters_per_channel: the likelihood's numbers for each channel of a pixel.
    """

    provides = frozenset({"hierarchy"})
    inference: BottomUp
    generative: TopDown

    def __init__(
        self,
        inference: BottomUp,
        generative: TopDown,
        image_shape: ImageShape,
        level_dims: tuple[int, ...],
        parameters_per_latent: int,
        parameters_per_channel: int,
    ) -> None:
        super().__init__(
            inference,
            generative,
            image_shape,
            sum(level_dims),
            parameters_per_latent,
            parameters_per_channel,
        )
        self.level_dims = level_dims
        self.level_parameters = tuple(own * parameters_per_latent for own in level_dims)
