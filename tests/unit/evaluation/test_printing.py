"""The few numbers that an evaluation prints."""

from itertools import chain
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from reslag_vae.evaluation.numbers import Number, missing
from reslag_vae.evaluation.printing import absent, numbers_table, print_numbers
from reslag_vae.evaluation.selection import GROUPS

RUN: dict[str, dict[str, Number]] = {
    "thesis": {"rec": Number(7.7387, "u", "p"), "total": Number(-834.0, "u", "p", 1.5)},
    "reconstruction": {"rec": Number(7.2068, "u", "p", 0.3)},
    "likelihood": {"elbo": Number(113.2, "nats", "p")},
    "yardstick": {"elbo": Number(673.71, "nats", "p")},
    "latent": {"active_units": Number(5, "of 10", "p"), "kl": missing("nats", "a point")},
}


def evaluated(numbers: dict[str, dict[str, Number]], classifiers: int = 1) -> Any:
    """An evaluated run, as far as its numbers are printed."""
    settings = SimpleNamespace(classifiers=classifiers, split="test")
    data = SimpleNamespace(key="digits")
    subject = SimpleNamespace(settings=settings, data=data, images=range(1800))
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
    [row] = [line for line in lines("VAE", "ResLag VAE") if "training's loss" in line]
    assert row.count("-834 ± 1.5") == 2
    [row] = [line for line in lines("VAE", "ResLag VAE") if "active units" in line]
    assert "of 10 dimensions" in row


def test_what_no_run_has_has_no_row() -> None:
    text = "\n".join(lines("VAE"))
    assert "LPIPS" not in text
    assert "samples, of the prior" not in text
    assert absent(evaluated(RUN)) == {"a point": ["KL"]}


def test_the_lines_below_say_what_errors_are_and_why_numbers_are_missing(capsys: Any) -> None:
    other = RUN | {"latent": {"kl": Number(1.0, "nats", "p")}}
    print_numbers({"AE": evaluated(RUN), "VAE": evaluated(other, classifiers=3)})
    said = capsys.readouterr().out
    assert "digits, test split, 1,800 images" in said
    assert "± of numbers by 3 classifiers: their standard deviation" in said
    assert "AE: without KL: a point" in said
    assert "VAE: without" not in said
