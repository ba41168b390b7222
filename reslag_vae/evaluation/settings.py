"""The settings that the numbers of an evaluation depend on."""

from typing import Any, NamedTuple

from reslag_vae.data.base import SplitName


class Settings(NamedTuple):
    """Settings that the numbers depend on, beside the model and its data.

    Attributes:
        split: the evaluated split.
        samples: K, the number of samples of the importance-weighted bound.
        reference: the number of images of the split, at most, whose codes are compared with each
            other and whose likelihood is bounded; also that of samples drawn from the model.
        train_images: the number of training images, at most, whose codes are used.
        seed: seed of every random number.
        classifiers: the number of classifiers, of seeds from 0, that measure the samples.
    """

    split: SplitName = "test"
    samples: int = 512
    reference: int = 10_000
    train_images: int = 20_000
    seed: int = 0
    classifiers: int = 1

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as JSON holds them, without `classifiers` where there is one."""
        content = self._asdict()
        if self.classifiers == 1:
            del content["classifiers"]
        return content
