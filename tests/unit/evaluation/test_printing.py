"""The few numbers that an evaluation prints."""

from itertools import chain
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from reslag_vae.evaluation.numbers import Number, missing
from reslag_vae.evaluation.printing import absent, numbers_table, print_numbers
from reslag_vae.evaluation.selection import GROUPS
from reslag_vae.models import Condition

RUN: dict[str, dict[str, Number]] = {
    "thesis": {"rec": Number(7.7387, "u", "p"), "total": Number(-834.0, "u", "p", 1.5)},
    "reconstruction": {"rec": Number(7.2068, "u", "p", 0.3)},
    "likelihood": {"elbo": Number(113.2, "nats", "p")},
    "yardstick": {"elbo": Number(673.71, "nats", "p")},
    "latent": {"active_units": Number(5, "of 10", "p"), "kl": missing("nats", "a point")},
}


def evaluated(
    numbers: dict[str, dict[str, Number]],
    classifiers: int = 1,
    condition: Condition | None = None,
    has_mean: bool = True,
    latent_dim: int = 10,
) -> Any:
    """An evaluated run, as far as its numbers are printed."""
    settings = SimpleNamespace(classifiers=classifiers, split="test")
    data = SimpleNamespace(key="digits")
    likelihood = SimpleNamespace(name="pixelcnn", has_mean=has_mean)
    model = SimpleNamespace(condition=condition, likelihood=likelihood, latent_dim=latent_dim)
    subject = SimpleNamespace(settings=settings, data=data, images=range(1800), model=model)
    return SimpleNamespace(numbers=numbers, subject=subject)


def lines(*titles: str) -> list[str]:
    """The rows of a table of runs that are alike."""
    console = Console(width=200, record=True)
    console.print(numbers_table({title: evaluated(RUN) for title in titles}, "title"))
    return console.export_text().splitlines()


def test_numbers_that_look_alike_have_words_between_them() -> None:
    """No two have the same label in a group, and no label is without a meaning."""
    assert len(list(chain(*GROUPS.values()))) < 25
    for shown in GROUPS.values():
        labels = [own.label for own in shown]
        assert len(set(labels)) == len(labels)
        assert all(own.meaning for own in shown)
    found = lines("VAE")
    [row] = [line for line in found if "7.2068" in line]
    [other] = [line for line in found if "7.7387" in line]
    assert "sum over an image" in row
    assert "of one sample of each posterior" in other
    assert not [line for line in found if "113.2" in line]


def test_runs_stand_side_by_side() -> None:
    [row] = [line for line in lines("VAE", "ResLag VAE") if "objective's loss" in line]
    assert row.count("-834 ± 1.5") == 2
    [row] = [line for line in lines("VAE", "ResLag VAE") if "active units" in line]
    assert "of 10 dimensions" in row


@pytest.mark.parametrize("titles", [("Optimal Sigma VAE",), ("VAE", "Optimal Sigma VAE")])
def test_a_narrow_terminal_cuts_no_word(titles: tuple[str, ...]) -> None:
    measured = {
        group: {own.name: Number(-1234.5, "u", "p", 85.2) for own in shown if own.group == group}
        for shown in GROUPS.values()
        for group in {own.group for own in shown}
    }
    console = Console(width=80, record=True)
    console.print(numbers_table({title: evaluated(measured) for title in titles}, "title"))
    text = console.export_text()
    assert "log-likelihood, at least" in text
    assert all(word in text for word in ("importance", "classifier's", "dimensions,"))
    assert "…" not in text


def test_what_no_run_has_has_no_row() -> None:
    text = "\n".join(lines("VAE"))
    assert "LPIPS" not in text
    assert "samples, of the prior" not in text
    assert absent(evaluated(RUN)) == {"a point": ["KL"]}


def test_each_level_of_codes_has_a_row() -> None:
    used = {
        "codes_used_top": Number(18, "of 32", "p"),
        "codes_used_bottom": Number(25, "of 64", "p"),
    }
    console = Console(width=200, record=True)
    console.print(numbers_table({"VQ-VAE-2": evaluated({"latent": used})}, "title"))
    rows = [line for line in console.export_text().splitlines() if "codes in use" in line]
    assert ["18" in rows[0], "of 32 codes" in rows[0]] == [True, True]
    assert ["25" in rows[1], "of 64 codes" in rows[1]] == [True, True]


def test_the_lines_below_say_what_errors_are_and_why_numbers_are_missing(capsys: Any) -> None:
    other = RUN | {"latent": {"kl": Number(1.0, "nats", "p")}}
    print_numbers({"AE": evaluated(RUN), "VAE": evaluated(other, classifiers=3)})
    said = capsys.readouterr().out
    assert "digits, test split, 1,800 images" in said
    assert "± of numbers by 3 classifiers: their standard deviation" in said
    assert "AE: without KL: a point" in said
    assert "VAE: without" not in said


def test_likelihoods_of_a_conditional_run_are_said_to_be_given_its_classes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = evaluated(RUN, condition=Condition(["cat", "dog"]))
    print_numbers({"VAE": evaluated(RUN), "told VAE": told})
    text = capsys.readouterr().out
    assert "told VAE: likelihoods are of p(x|y), given the class of each image, one of 2" in text
    print_numbers({"VAE": evaluated(RUN)})
    assert "p(x|y)" not in capsys.readouterr().out


def test_reconstructions_that_are_samples_are_said_to_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_numbers({"VAE": evaluated(RUN), "PixelVAE": evaluated(RUN, has_mean=False)})
    said = capsys.readouterr().out
    assert "PixelVAE: decoded images are samples, one each" in said
    assert "VAE: decoded" not in said.replace("PixelVAE: decoded", "")


def test_a_likelihood_without_latents_is_said_to_be_exact(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_numbers({"VAE": evaluated(RUN), "PixelCNN": evaluated(RUN, latent_dim=0)})
    said = capsys.readouterr().out
    assert "PixelCNN: the log-likelihood is exact" in said
    assert said.count("is exact") == 1
