"""One of every part that a room exports, built by the names of what its class takes.

A new class joins the contracts by being exported. Where it takes something that is not known here,
its tests fail and say what.
"""

import inspect
import itertools
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from reslag_vae import likelihoods
from reslag_vae.likelihoods.masses import MASSES

IMAGE_SHAPE = (2, 8, 8)
LATENT_DIM = 3

ARGUMENTS: dict[str, Any] = {
    "image_shape": IMAGE_SHAPE,
    "latent_dim": LATENT_DIM,
    "channels": [4, 6],
    "blocks": [1, 2],
    "sigma2": 0.05,
    "code_dim": LATENT_DIM,
    "levels": [4, 3, 5],
    "units": 2,
    "local_channels": 1,
    "latent_channels": [1, 1],
}

# Arguments whose defaults would make the contracts slow.
SMALL: dict[str, Any] = {
    "layers": 2,
    "first_kernel": 3,
    "channels": 4,
    "transforms": 2,
    "hidden_features": [4],
    "pseudo_inputs": 7,
    "codes": 5,
}

# Arguments that choose by name, each of whose values is tried.
NAMED: dict[str, tuple[str, ...]] = {"pixels": tuple(MASSES), "kind": ("coupling", "splines")}

# Arguments that are parts themselves: each of those that a room exports is tried.
PARTS: dict[str, tuple[ModuleType, type]] = {
    "variance": (likelihoods, likelihoods.VarianceRule),
}


class Case(NamedTuple):
    """A class, those of the parts that it takes, and its choices by name."""

    kind: type
    parts: dict[str, "Case"]
    named: dict[str, str]

    @property
    def label(self) -> str:
        parts = [part.label for part in self.parts.values()]
        return "-".join([self.kind.__name__, *parts, *self.named.values()])

    @property
    def is_first(self) -> bool:
        """Whether it has the first of every choice by name."""
        return all(NAMED[name][0] == value for name, value in self.named.items())

    def build(self, **arguments: Any) -> Any:
        """Build one, in which `arguments` take the place of the usual ones where it takes them.

        Raises:
            TypeError: it needs an argument that is not known here.
        """
        known = ARGUMENTS | arguments
        chosen: dict[str, Any] = dict(self.named)
        for name, parameter in inspect.signature(self.kind).parameters.items():
            if name in self.named:
                continue
            of_stages = name in ARGUMENTS and isinstance(parameter.default, tuple)
            if of_stages:
                chosen[name] = known[name]
            elif name in SMALL and not is_required(parameter):
                chosen[name] = SMALL[name]
            elif name in self.parts:
                chosen[name] = self.parts[name].build(**arguments)
            elif name in arguments or (is_required(parameter) and name in known):
                chosen[name] = known[name]
            elif is_required(parameter):
                raise TypeError(f"{self.label}: tests/contracts/parts.py knows no {name} for it.")
        return self.kind(**chosen)


def is_required(parameter: inspect.Parameter) -> bool:
    starred = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and not starred


def cases(room: ModuleType, base: type) -> list[Case]:
    """Every concrete subclass that a room exports, with each choice of the parts that it takes."""
    found = []
    for name in room.__all__:
        kind = getattr(room, name)
        if not is_concrete(kind, base):
            continue
        taken = inspect.signature(kind).parameters
        wanted, named = ([own for own in taken if own in known] for known in (PARTS, NAMED))
        parts = [cases(*PARTS[own]) for own in wanted]
        names = [NAMED[own] for own in named]
        for chosen in itertools.product(*parts, *names):
            own_parts = dict(zip(wanted, chosen, strict=False))
            own_names = dict(zip(named, chosen[len(wanted) :], strict=True))
            found.append(Case(kind, own_parts, own_names))
    return found


def is_concrete(kind: Any, base: type) -> bool:
    subclass = isinstance(kind, type) and issubclass(kind, base) and kind is not base
    return subclass and not inspect.isabstract(kind)


def every(
    room: ModuleType, base: type, without: str | tuple[str, ...] = (), only: str = ""
) -> pytest.MarkDecorator:
    """A mark that has a test take each case of a room as `case`.

    Those that provide a capability of `without` are left out, and those that do not provide `only`.
    """
    unwanted = {without} if isinstance(without, str) else set(without)
    provided = [(case, getattr(case.kind, "provides", ())) for case in cases(room, base)]
    wanted = [case for case, own in provided if not only or only in own]
    left_out = [case for case, own in provided if unwanted & set(own)]
    found = [case for case in wanted if case not in left_out]
    assert found, f"{room.__name__} exports no {base.__name__}"
    return pytest.mark.parametrize("case", found, ids=[case.label for case in found])
