"""Every choice of a part of the model makes a system that trains and is read back.

A choice joins by its file in conf/.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning import Trainer
from omegaconf import DictConfig

import reslag_vae
from reslag_vae.data import Digits, Images
from reslag_vae.data.images import Source
from reslag_vae.models.generative import GROUPS
from reslag_vae.training.build import build_system, sign_checkpoints
from reslag_vae.training.checks import check_pixels
from reslag_vae.training.schedules import Update
from tests.running import ROOT
from tests.updates import Recorder

Compose = Callable[..., DictConfig]
Fit = Callable[..., Trainer]

pytestmark = pytest.mark.usefixtures("small_digits")

TINY = (
    "data=digits",
    "recipe.image_shape=[1,8,8]",
    "recipe.channels=[2,4]",
    "recipe.blocks=[1,1]",
    "trainer.accelerator=cpu",
    "logger=none",
)
GRID = ("network.channels=[4,8]", "network.blocks=[1,1]")
VAE = ("model=vae",)
# Beside a choice, what it takes of the others.
BESIDE = {
    "point": ("model=autoencoder",),
    "bernoulli": ("model=vae", "prior=boltzmann"),
    "boltzmann": ("model=vae", "posterior=bernoulli"),
    "precision_weighted": ("model=ladder_vae",),
    "vq": ("model=vq_vae", "posterior.codes=20", *GRID),
    "fsq": ("model=fsq_vae", *GRID),
    "uniform_codes": ("model=fsq_vae", *GRID),
    "pixelcnn": ("model=fsq_vae", "prior.channels=4", "prior.layers=2", *GRID),
}
CHOICES = [
    (group, path.stem, VAE if group == "likelihood" else BESIDE.get(path.stem, VAE))
    for group in ("likelihood", "prior", "posterior")
    for path in sorted((ROOT / "conf" / group).glob("*.yaml"))
]
# Hierarchies of binary units; free bits would hold the prior still at first.
BINARY = ("prior=boltzmann", "objective=elbo", "schedule=joint")
CHOICES += [
    ("posterior", "bernoulli", (f"model={model}", *BINARY))
    for model in ("ladder_vae", "biva", "vdvae", "reslag_deep")
]


class BinaryDigits(Digits):
    """Digits whose pixels are black or white."""

    name = "binary_digits"
    binary = True

    def read(self) -> Source:
        whole = super().read()
        pixels = 255 * (whole.train.store > 127).to(torch.uint8)
        return whole._replace(train=Images(pixels, whole.train.store_labels))


@pytest.fixture(scope="module")
def every_data() -> dict[bool, Digits]:
    """Greys, and black and white, by whether they are binary."""
    kinds = {False: Digits, True: BinaryDigits}
    found = {}
    for binary, kind in kinds.items():
        found[binary] = kind("unused", batch_size=16, val_fraction=0.1, seed=0)
        found[binary].setup()
    return found


@pytest.mark.parametrize(("group", "choice", "beside"), CHOICES)
def test_every_choice_takes_a_step_and_is_read_back(
    group: str,
    choice: str,
    beside: tuple[str, ...],
    compose: Compose,
    every_data: dict[bool, Digits],
    fit: Fit,
    tmp_path: Path,
) -> None:
    config = compose(*beside, f"{group}={choice}", *TINY)
    system = build_system(config)
    assert system.parts()[group].name == choice
    sign_checkpoints(system, config, "0" * 16)
    data = every_data[system.model.likelihood.binary]
    check_pixels(system, data)

    before = {name: value.clone() for name, value in system.named_parameters()}
    recorder = Recorder(system)
    trainer = fit(system, data, limit_train_batches=1, limit_val_batches=1)
    assert [update for _, update in recorder.updates] == [Update(GROUPS)]
    assert not [name for name, p in system.named_parameters() if torch.equal(p, before[name])]
    assert trainer.callback_metrics["val/loss"].isfinite()

    trainer.save_checkpoint(tmp_path / "of.ckpt")
    loaded, own = reslag_vae.load(tmp_path / "of.ckpt"), system.model.eval()
    assert loaded.parts()[group].name == choice
    images = data.split("test").images[:5]
    with torch.no_grad():
        codes = own.encode(images)
        assert torch.equal(loaded.encode(images), codes)
        assert torch.equal(
            loaded.log_likelihood(images / 255, codes), own.log_likelihood(images / 255, codes)
        )
        first, second = (each.sample(4, torch.Generator().manual_seed(3)) for each in (loaded, own))
        assert torch.equal(first, second)
        inferred = [each.infer(images / 255, each.levels(codes)) for each in (loaded, own)]
        assert torch.equal(*(each.prior_variances for each in inferred))
        if not own.deterministic:
            assert torch.equal(*(each.log_ratio() for each in inferred))
