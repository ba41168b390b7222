"""What a conditional model is told of an image: its class, or its attributes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

Kind = Literal["label", "attributes"]


@dataclass(frozen=True)
class Condition:
    """The classes or the attributes that encoder and decoder are told of each image.

    Kingma et al. 2014, https://arxiv.org/abs/1406.5298, section 2.2, with the labels of all images
    known; Sohn et al. 2015 (Advances in Neural Information Processing Systems 28).

    Args:
        names: names of the K classes by class number, or of the K attributes.
        kind: whether an image is of one class, or has any of the attributes.

    Raises:
        ValueError: there are fewer than two classes, or no attribute, or a name is there twice.
    """

    names: list[str]
    kind: Kind = "label"

    fewest: ClassVar[dict[str, int]] = {"label": 2, "attributes": 1}

    def __post_init__(self) -> None:
        if self.kind not in self.fewest:
            raise ValueError(f"condition.kind={self.kind}: label or attributes are wanted.")
        fewest = self.fewest[self.kind]
        if len(self.names) < fewest or len(set(self.names)) < len(self.names):
            raise ValueError(
                f"condition.names={self.names}: {fewest} or more names are wanted, all different."
            )

    @property
    def count(self) -> int:
        """The number K of numbers that the model is told of an image."""
        return len(self.names)

    @property
    def words(self) -> str:
        """What an image's probability is given, in words."""
        if self.kind == "label":
            return f"the class of each image, one of {self.count}"
        return f"{self.count} attribute(s) of each image"

    def numbers(self, told: Tensor) -> Tensor:
        """Return the (B, K) numbers, 0 or 1, that the networks are given.

        Args:
            told: (B,) class numbers, -1 where the class is not known; or (B, K) attributes.
        """
        if self.kind == "label":
            told = told[:, None] == torch.arange(self.count, device=told.device)
        return told.float()

    def check(self, told: Tensor) -> None:
        """Refuse labels of a loader's images that say of one of them no class or no attributes.

        Args:
            told: (B,) class numbers, or (B, K) attributes.

        Raises:
            ValueError: they have another shape, or there is no such class.
        """
        if self.kind == "attributes" and told.shape[1:] != (self.count,):
            raise ValueError(f"labels: (B, {self.count}) attributes are wanted of each image.")
        if self.kind == "label" and told.dim() != 1:
            raise ValueError("labels: the (B,) class numbers of the images are wanted.")
        if self.kind == "label" and bool(((told < 0) | (told >= self.count)).any()):
            wrong = int(told[(told < 0) | (told >= self.count)][0])
            raise ValueError(
                f"labels: class numbers from 0 to {self.count - 1} are wanted of all images, and "
                + ("there are none." if wrong == -1 else f"one is {wrong}.")
            )

    def read(self, given: Any) -> Tensor:
        """Return the (B, K) numbers of what a user tells of B images.

        Args:
            given: the name of a class or its number, from 0, or a list or an array of these, one
                for each image; or attributes by name, as in {"Smiling": True}, or a list of the
                names that an image has, or (B, K) numbers from 0 to 1.

        Raises:
            ValueError: there is no such class or attribute, the numbers have another shape, or a
                number is the name of another class.
        """
        if hasattr(given, "tolist") and not isinstance(given, Tensor):
            given = given.tolist()  # an array of numpy's, or a column of pandas
        if isinstance(given, Mapping):
            row: list[Any] = [0.0] * self.count
            for name, value in given.items():
                row[self.position(name)] = value
            given = [row]
        if isinstance(given, str):
            given = [given]
        if isinstance(given, list | tuple) and all(isinstance(own, str) for own in given):
            positions = torch.tensor([self.position(name) for name in given], dtype=torch.int64)
            if self.kind == "label" and given:
                return self.numbers(positions)
            if self.kind == "label":
                raise ValueError(self._wanted("none"))
            return self.numbers(torch.isin(torch.arange(self.count), positions)[None])
        try:
            values = torch.as_tensor(given)
        except (TypeError, ValueError, RuntimeError):
            raise ValueError(self._wanted(type(given).__name__)) from None
        if not values.dim():
            values = values[None]
        if values.dim() == 2 and values.shape[1] == self.count and len(values):
            numbers = values.float()
            if not bool(((numbers >= 0) & (numbers <= 1)).all()):
                raise ValueError(self._wanted("numbers outside of 0 to 1"))
            return numbers
        whole = not values.is_floating_point() and not values.is_complex()
        if self.kind == "attributes" or values.dim() != 1 or not len(values) or not whole:
            raise ValueError(self._wanted(f"{values.dtype} of {tuple(values.shape)}"))
        for number in sorted(set(values.tolist())):
            name = str(number)
            if name in self.names and self.names.index(name) != number:
                raise ValueError(
                    f"the class {number} is ambiguous: {name!r} is the name of number "
                    f"{self.names.index(name)}; give names."
                )
        if int(values.min()) < 0 or int(values.max()) >= self.count:
            outside = values[(values < 0) | (values >= self.count)][0]
            raise ValueError(self._wanted(f"the class {int(outside)}"))
        return self.numbers(values)

    def position(self, name: str) -> int:
        """Return the number of a class or of an attribute.

        Raises:
            ValueError: there is none of that name.
        """
        if name not in self.names:
            raise ValueError(self._wanted(repr(name)))
        return self.names.index(name)

    def _wanted(self, given: str) -> str:
        """Return a sentence on what the model may be told, and what it was given."""
        shown = ", ".join(self.names)
        if self.kind == "label":
            return f"the class of each image is wanted, one of {shown}; this is {given}."
        return f"the attributes of each image are wanted, of {shown}; this is {given}."

    def of_samples(self, count: int) -> Tensor | None:
        """Return (count, K) numbers for samples: one class after the other.

        It is None for attributes, of which a sample must be told which to have.
        """
        if self.kind == "attributes":
            return None
        return self.numbers(torch.arange(count) % self.count)
