"""Every part that a room exports can be chosen on the command line, by its name."""

from types import ModuleType

import pytest

from reslag_vae import latents, likelihoods, networks, objectives
from reslag_vae.latents import Posterior, Prior
from reslag_vae.likelihoods import Likelihood
from reslag_vae.networks import Network
from reslag_vae.objectives import Objective
from tests.contracts.parts import cases
from tests.running import ROOT

GROUPS: dict[str, tuple[ModuleType, type]] = {
    "network": (networks, Network),
    "posterior": (latents, Posterior),
    "prior": (latents, Prior),
    "likelihood": (likelihoods, Likelihood),
    "objective": (objectives, Objective),
}


@pytest.mark.parametrize("group", GROUPS)
def test_every_part_has_a_choice_of_its_name(group: str) -> None:
    # With one channel every choice by name goes.
    built = [(case, case.build(image_shape=(1, 8, 8))) for case in cases(*GROUPS[group])]
    names = [part.name for case, part in built if case.is_first]

    assert len(set(names)) == len(names)
    for name in names:
        assert (ROOT / "conf" / group / f"{name}.yaml").is_file(), f"{group}={name}"


def test_a_part_that_cannot_be_built_says_what_it_takes() -> None:
    class Odd(Prior):
        name = "odd"

        def __init__(self, latent_dim: int, oddity: float) -> None:
            super().__init__(latent_dim)

        forward = from_noise = lambda self: None  # type: ignore[assignment]

    room = ModuleType("room")
    room.__all__, room.Odd = ["Odd"], Odd  # type: ignore[attr-defined]
    (case,) = cases(room, Prior)
    with pytest.raises(TypeError, match=r"Odd: .* knows no oddity for it"):
        case.build()
