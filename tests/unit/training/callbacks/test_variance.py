"""Statistics of the variance over an epoch's minibatches."""

from collections.abc import Callable

import numpy as np
import pytest
from lightning import Trainer

from reslag_vae.data import ImageDataModule
from reslag_vae.networks import Network
from reslag_vae.training.callbacks import Sigma2Statistics
from reslag_vae.training.schedules import Joint, Lagging, Schedule
from reslag_vae.variants import VAE, OptimalSigmaVAE
from tests.systems import make_system


@pytest.mark.parametrize("schedule", [Joint(), Lagging(ratio=2, epochs=2)])
def test_statistics_are_numpys_over_the_minibatches_of_the_last_epoch(
    schedule: Schedule,
    make_network: Callable[..., Network],
    make_data: Callable[..., ImageDataModule],
    fit: Callable[..., Trainer],
) -> None:
    data = make_data()
    trainer = fit(
        make_system(OptimalSigmaVAE, make_network(), "sigma_data", schedule),
        data,
        2,
        [Sigma2Statistics()],
    )
    loader = data.train_dataloader()
    loader.sampler.set_epoch(1)  # type: ignore[attr-defined]
    values = np.array([np.var(batch.images.numpy() / 255) for batch in loader])
    assert len(values) == 3
    expected = {
        "mean": np.mean(values),
        "std": np.std(values),
        "min": np.min(values),
        "max": np.max(values),
    }
    for name, value in expected.items():
        assert float(trainer.callback_metrics[f"sigma2/{name}"]) == pytest.approx(value, rel=1e-4)


def test_a_variant_without_a_variance_logs_none(
    make_network: Callable[..., Network],
    make_data: Callable[..., ImageDataModule],
    fit: Callable[..., Trainer],
) -> None:
    trainer = fit(
        make_system(VAE, make_network(), "elbo"), make_data(), callbacks=[Sigma2Statistics()]
    )
    assert not [name for name in trainer.callback_metrics if name.startswith("sigma2/")]
