"""Golden runs: the losses of short runs as text.

Making the step faster cannot change them unnoticed.
"""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig

Compose = Callable[..., DictConfig]
Train = Callable[[DictConfig, Path], float]

GOLDEN = Path(__file__).parent
COLUMNS = ("epoch", "train/loss", "train/rec", "val/loss", "val/rec", "val/kl", "val/sigma2")
RUNS = {
    "autoencoder": ["model=autoencoder"],
    "optimal_sigma": ["model=optimal_sigma"],
    "mmd_infovae": ["model=mmd_infovae"],
    "lagging": ["model=lagging"],
    "reslag_light": ["model=reslag_light", "recipe.residual=true", "objective=sigma_optimal"],
}

# The files were made on one processor; another one, or another order of a sum, rounds otherwise,
# and training amplifies that from step to step. On the same processor and with the same code the
# text is the same to the last digit.
ROUNDING = {1: 2e-3, 2: 1e-2, 3: 5e-2}


def losses(folder: Path) -> str:
    """Of every epoch, with all digits."""
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    columns = [name for name in COLUMNS if name in rows[0]]
    return (
        "\n".join([",".join(columns), *(",".join(row[name] for name in columns) for row in rows)])
        + "\n"
    )


def numbers(text: str) -> list[list[float]]:
    """Of each epoch."""
    return [[float(value) for value in line.split(",") if value] for line in text.splitlines()[1:]]


@pytest.mark.parametrize("name", RUNS)
def test_the_losses_are_those_of_the_golden_run(
    name: str, compose: Compose, train: Train, tmp_path: Path
) -> None:
    small = [
        "data=digits",
        "recipe.channels=[4,8]",
        "recipe.blocks=[1,1]",
        "recipe.aggressive_epochs=1",
        "logger=none",
    ]
    quick = ["trainer.max_epochs=3", "trainer.accelerator=cpu", "+trainer.limit_train_batches=12"]
    without = [f"callbacks.{name}=null" for name in ("images", "collapse", "curves", "progress")]
    train(compose(*RUNS[name], *small, *quick, *without), tmp_path / "run")
    text = losses(tmp_path / "run")
    (tmp_path / f"{name}.csv").write_text(text)
    golden = (GOLDEN / f"{name}.csv").read_text()
    assert text.splitlines()[0] == golden.splitlines()[0]
    for epoch, (ours, theirs) in enumerate(
        zip(numbers(text), numbers(golden), strict=True), start=1
    ):
        assert ours == pytest.approx(theirs, rel=ROUNDING[epoch]), (
            f"If the change is meant and explained, {tmp_path / name}.csv is the new golden file."
        )
