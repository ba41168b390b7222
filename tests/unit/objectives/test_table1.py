"""The objectives give the totals of the thesis' Table 1 from the terms beside them.

Lat is the KL averaged over latent dimensions in the beta-VAE and MMD rows, and the KL summed over
them in the sigma rows. The variance of the sigma rows is that of the data set's pixels.
"""

import csv
import math
from collections.abc import Container
from pathlib import Path
from typing import Any

import pytest
import torch

import reslag_vae
from reslag_vae.latents import DiagonalGaussian
from reslag_vae.likelihoods import DataVariance, Gaussian, Likelihood, SquaredError
from reslag_vae.objectives import ELBO, MMD, Beta, Objective, Terms
from tests.inferred import infer

Row = dict[str, str]

with (Path(reslag_vae.__file__).parent / "studies" / "report" / "table1.csv").open() as file:
    ROWS: list[Row] = list(csv.DictReader(file))

SHAPES = {
    "mnist": (1, 28, 28),
    "fashion_mnist": (1, 28, 28),
    "cifar10": (3, 32, 32),
    "cifar100": (3, 32, 32),
    "celeba": (3, 64, 64),
}
# Population variance of all pixels in [0, 1].
PIXEL_VARIANCE = {"mnist": 0.0958, "fashion_mnist": 0.1246, "cifar10": 0.0637, "cifar100": 0.0720}


def rows_of(*models: str, datasets: Container[str] = tuple(SHAPES)) -> list[Any]:
    rows = [row for row in ROWS if row["model"] in models and row["dataset"] in datasets]
    return [pytest.param(row, id=f"{row['model']}-{row['dataset']}") for row in rows]


def half_unit(printed: str) -> float:
    """Rounding error of a printed number: half a unit of its last digit."""
    return 0.5 * 10.0 ** -len(printed.partition(".")[2])


def apply(objective: Objective, likelihood: Likelihood, row: Row, kl: float) -> Terms:
    """The loss of one image of two greys with the row's squared error, KL in nats and MMD."""
    shape, d = SHAPES[row["dataset"]], int(row["latent_dim"])
    deviation = math.sqrt(PIXEL_VARIANCE.get(row["dataset"], 0.09))
    signs = (
        torch.tensor([-1.0, 1.0], dtype=torch.float64).repeat(math.prod(shape) // 2).view(1, *shape)
    )
    images = 0.5 + deviation * signs
    reconstruction = images + math.sqrt(float(row["rec"]) / math.prod(shape))
    posterior = DiagonalGaussian(
        torch.full((1, d), math.sqrt(2 * kl / d)).double(), torch.zeros(1, d).double()
    )
    # Of one latent and one sample of the prior, MMD² is 2 - 2 k: their distance follows from the
    # printed value.
    latents, prior = torch.zeros(1, d).double(), torch.zeros(1, d).double()
    latents[0, 0] = math.sqrt(-(d**2) * math.log1p(-float(row["mmd"] or 0) / 2))
    distortion = likelihood(images, reconstruction)
    terms: Terms = objective(distortion, infer(posterior, latents), prior)
    return terms


@pytest.mark.parametrize("row", rows_of("beta_vae"))
def test_beta_vae(row: Row) -> None:
    beta, d = float(row["beta"]), int(row["latent_dim"])
    terms = apply(Beta(beta), SquaredError(), row, kl=float(row["lat"]) * d)
    # The error of a total of rounded terms: each term's half unit times its weight, and the total's
    # own.
    tolerance = half_unit(row["rec"]) + beta * half_unit(row["lat"]) + half_unit(row["total"])

    assert terms.rec.item() == pytest.approx(float(row["rec"]), rel=1e-6)
    assert terms.kl is not None
    assert terms.kl.item() / d == pytest.approx(float(row["lat"]), rel=1e-6)
    assert terms.loss.item() == pytest.approx(float(row["total"]), abs=tolerance, rel=0)


@pytest.mark.parametrize("row", rows_of("mmd_infovae"))
def test_mmd_infovae(row: Row) -> None:
    alpha, weight, d = float(row["alpha"]), float(row["lambda"]), int(row["latent_dim"])
    terms = apply(MMD(alpha, weight), SquaredError(), row, kl=float(row["lat"]) * d)
    tolerance = half_unit(row["rec"]) + weight * half_unit(row["mmd"]) + half_unit(row["total"])

    assert terms.rec.item() == pytest.approx(float(row["rec"]), rel=1e-6)
    assert terms.extras["mmd"].item() == pytest.approx(float(row["mmd"]), rel=1e-6)
    assert terms.loss.item() == pytest.approx(float(row["total"]), abs=tolerance, rel=0)


@pytest.mark.parametrize(
    "row", rows_of("optimal_sigma", "lagging", "reslag", "reslag_light", datasets=PIXEL_VARIANCE)
)
def test_sigma_rows_are_those_of_the_data_s_variance(row: Row) -> None:
    likelihood = Gaussian(DataVariance(SHAPES[row["dataset"]])).double()
    terms = apply(ELBO(), likelihood, row, kl=float(row["lat"]))

    assert terms.extras["sigma2"].item() == pytest.approx(PIXEL_VARIANCE[row["dataset"]], rel=1e-6)
    assert terms.kl is not None
    assert terms.kl.item() == pytest.approx(float(row["lat"]), rel=1e-6)
    # The thesis' moving average of minibatch variances differs a little from the variance of the
    # whole set.
    assert terms.loss.item() == pytest.approx(float(row["total"]), rel=0.005)


def test_the_whole_table_is_here() -> None:
    counts = {
        model: sum(row["model"] == model for row in ROWS)
        for model in {row["model"] for row in ROWS}
    }
    assert counts == {
        "autoencoder": 4,
        "beta_vae": 5,
        "mmd_infovae": 5,
        "optimal_sigma": 5,
        "lagging": 2,
        "reslag": 3,
        "reslag_light": 3,
    }
