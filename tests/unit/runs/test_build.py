"""What is said of options that no part has."""

from collections.abc import Callable

import pytest
from omegaconf import DictConfig

from reslag_vae.runs.build import instantiate

Compose = Callable[..., DictConfig]


@pytest.mark.parametrize(
    ("model", "option"),
    [
        ("vae", "prior.foo"),
        ("vae", "posterior.foo"),
        ("vae", "likelihood.foo"),
        ("optimal_sigma", "likelihood.variance.foo"),
        ("vae", "network.foo"),
        ("vae", "objective.foo"),
        ("lagging", "schedule.foo"),
        ("vae", "model.foo"),
    ],
)
def test_an_option_that_a_part_lacks_is_named_as_it_was_given(
    model: str, option: str, compose: Compose
) -> None:
    config = compose(f"model={model}", "data=digits", f"+{option}=3")
    with pytest.raises(TypeError, match=rf"^{option}: there is no such option in what was chosen"):
        instantiate(config.model)


def test_the_choices_that_have_an_option_are_named(compose: Compose) -> None:
    config = compose("model=pixelcnn", "data=digits", "likelihood=bernoulli")
    with pytest.raises(TypeError, match=r"in what was chosen; there is with likelihood=pixelcnn, "):
        instantiate(config.model)


@pytest.mark.parametrize(
    ("option", "needs"),
    [("network.image_shape", "StagedNetwork"), ("likelihood.variance", "Gaussian")],
)
def test_an_option_that_a_part_needs_is_named(option: str, needs: str, compose: Compose) -> None:
    config = compose("model=lagging", "data=digits", f"~{option}")
    with pytest.raises(TypeError, match=rf"^{option}: {needs} needs it\.$"):
        instantiate(config.model)
