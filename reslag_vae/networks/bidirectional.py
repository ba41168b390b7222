"""The interface of networks of levels some of whose latents are inferred on the way up."""

from abc import abstractmethod

from torch import Tensor

from reslag_vae.networks.hierarchy import BottomUp, HierarchicalNetwork


class StochasticBottomUp(BottomUp):
    """The inference module of a hierarchy whose pass upwards infers latents, too.

    Each level below the top has two parts. The first is inferred on the way up, from the last level
    to the second one, and the features of the levels above depend on its latents. The second is
    inferred on the way down: its numbers are those of `numbers`. A level's latents are those of the
    first part, then those of the second.

    Args:
        up_dims: dimensions of the first part of each level, top first; the top has none, 0.
    """

    def __init__(self, up_dims: tuple[int, ...]) -> None:
        super().__init__()
        self.up_dims = up_dims

    @abstractmethod
    def features(self, images: Tensor) -> list[Tensor]:
        """Return the features of the last level, in a list: `climb` leads to all others.

        Args:
            images: (B, C, H, W) images in [0, 1].
        """

    @abstractmethod
    def up_numbers(self, level: int, features: Tensor) -> Tensor:
        """Return the (B, parameters) of the posterior of the first part of a level.

        Args:
            level: number of the level, from 1: the top has no such part.
            features: (B, F, h, w) features of the level.
        """

    @abstractmethod
    def climb(self, level: int, features: Tensor, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the second part of a level is inferred from, and the level above.

        Args:
            level: number of the level, from 1.
            features: (B, F, h, w) features of the level.
            latents: (B, d) latents of the first part of the level.

        Returns:
            (B, F, h, w) features of the level and of these latents, and (B, F', h', w') features of
            the level above.
        """


class BidirectionalNetwork(HierarchicalNetwork):
    """The base class of networks whose levels are inferred in two parts, upwards and downwards."""

    provides = frozenset({"hierarchy", "bidirectional"})
    inference: StochasticBottomUp
