"""Two processes on one model do what one does. Run as a script, this file is each of the two."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.fabric.plugins.environments.lightning import find_free_network_port
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from reslag_vae._runtime import collectives
from reslag_vae._runtime.process import quiet
from reslag_vae.data import Images
from reslag_vae.data.base import Binarize
from reslag_vae.data.binarizable import BinarizableDataModule
from reslag_vae.data.images import Source
from reslag_vae.latents import FlowPrior, MixturePrior, PointPosterior, VampPrior
from reslag_vae.likelihoods import (
    Bernoulli,
    DataVariance,
    Gaussian,
    LearnedVariance,
    OptimalVariance,
    PixelCNN,
    SquaredError,
    UnitGaussian,
)
from reslag_vae.likelihoods.variance import Granularity
from reslag_vae.models import FlatModel
from reslag_vae.models import terms as terms_module
from reslag_vae.networks import LinearNetwork, PlainNetwork, ResidualNetwork
from reslag_vae.objectives import ELBO, MMD, FreeBits, Reconstruction, WarmUp
from reslag_vae.training.callbacks import EpochSeed, Sigma2Statistics
from reslag_vae.training.gradient_skip import WINDOW
from reslag_vae.training.optimizers import AdamSettings, Plateau
from reslag_vae.training.schedules import Joint, Lagging
from reslag_vae.training.strategy import Replicas
from reslag_vae.training.system import BaseVAE
from reslag_vae.variants import (
    VAE,
    AutoEncoder,
    LaggingVAE,
    MMDInfoVAE,
    OptimalSigmaVAE,
    PixelVAE,
    ResLagVAE,
)

SHAPE = (1, 8, 8)
SAME, FRESH = Lagging(2, 1, "same"), Lagging(3, 1, "fresh")
CASES: dict[str, Callable[[], BaseVAE]] = {
    "joint": lambda: OptimalSigmaVAE(optimal("pixel"), ELBO()),
    "joint, a variance for each image": lambda: OptimalSigmaVAE(optimal("image"), ELBO()),
    "joint, MMD": lambda: MMDInfoVAE(
        FlatModel(network(), SquaredError()),
        MMD(alpha=0.5),
        Joint(),
        AdamSettings(plateau=Plateau()),
    ),
    "joint, a point": lambda: AutoEncoder(
        FlatModel(network(1), SquaredError(), PointPosterior()), Reconstruction()
    ),
    "joint, drawn pixels": lambda: OptimalSigmaVAE(optimal(), ELBO()),
    "joint, drawn pixels, a prior that is trained": lambda: VAE(
        FlatModel(network(), Bernoulli(), prior=MixturePrior(3, 4)), ELBO()
    ),
    "joint, a flow that is trained": lambda: VAE(
        FlatModel(network(), UnitGaussian(), prior=FlowPrior(3, transforms=2, hidden_features=[4])),
        ELBO(),
    ),
    "lagging, pseudo-inputs": lambda: LaggingVAE(
        FlatModel(network(), UnitGaussian(), prior=VampPrior(3, SHAPE, 4)), ELBO(), SAME
    ),
    "lagging, same": lambda: LaggingVAE(
        FlatModel(network(), Gaussian(DataVariance(SHAPE))), ELBO(), SAME
    ),
    "lagging, fresh": lambda: LaggingVAE(optimal(), ELBO(), FRESH),
    "lagging, fresh, drawn pixels": lambda: LaggingVAE(optimal(), ELBO(), FRESH),
    # One process alone would end after another number of updates.
    "lagging, adaptive": lambda: LaggingVAE(optimal(), ELBO(), Lagging("adaptive", 1)),
    "joint, free bits": lambda: VAE(FlatModel(network(), UnitGaussian()), FreeBits(0.5)),
    "joint, warm-up": lambda: VAE(FlatModel(network(), UnitGaussian()), WarmUp(0.1, 2)),
    "joint, drawn pixels, a PixelCNN": lambda: PixelVAE(
        FlatModel(
            LinearNetwork(SHAPE, 3, [4], [1], parameters_per_channel=2),
            PixelCNN(SHAPE, "bernoulli", 4, 2, 3, parameters_per_channel=2),
        ),
        ELBO(),
    ),
    # Of the encoder, and none of the decoder.
    "lagging, skipped updates": lambda: accustomed(
        LaggingVAE(optimal(), ELBO(), SAME, AdamSettings(skip_above=2.0, clip_norm=1.0))
    ),
    "lagging, residual": lambda: ResLagVAE(
        FlatModel(ResidualNetwork(SHAPE, 3, [4, 6], [1, 2]), Gaussian(LearnedVariance(SHAPE))),
        ELBO(),
        SAME,
        AdamSettings(clip_norm=1.0),
    ),
}


def accustomed(system: BaseVAE) -> BaseVAE:
    """Let small gradients have been usual for the encoder, and large ones for the decoder."""
    norms = {"inference": torch.full((WINDOW,), 1e-6), "generative": torch.full((WINDOW,), 1e6)}
    system.group_steps.load_state_dict(norms)  # type: ignore[arg-type]
    return system


def optimal(granularity: Granularity = "global") -> FlatModel:
    return FlatModel(network(), Gaussian(OptimalVariance(SHAPE, granularity)))


def network(parameters_per_latent: int = 2) -> PlainNetwork:
    return PlainNetwork(SHAPE, 3, [4, 6], [1, 1], parameters_per_latent)


class Noise(BinarizableDataModule):
    """A data set of 22 training images, in batches of 8, 8 and 6, and 11 validation images.

    The second process has 3 of the validation images.
    """

    name, image_shape = "noise", SHAPE

    def __init__(self, case: str) -> None:
        binarize: Binarize = "dynamic" if "drawn" in case else None
        super().__init__("unused", batch_size=8, val_fraction=0.1, seed=0, binarize=binarize)

    def read(self) -> Source:
        pixels = torch.randint(
            256, (40, *SHAPE), generator=torch.Generator().manual_seed(1), dtype=torch.uint8
        )
        train, val, test = pixels.split([22, 11, 7])
        return Source(
            *(Images(part, torch.full((len(part),), -1)) for part in (train, val, test)), []
        )


class Record(Callback):
    """A callback that keeps every epoch's metrics and checks that processes agree bitwise."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.check(pl_module)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.check(pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.rows.append({name: float(value) for name, value in trainer.callback_metrics.items()})
        self.check(pl_module)

    @staticmethod
    def check(model: LightningModule) -> None:
        states = collectives.objects(
            {name: value.numpy().tobytes() for name, value in model.state_dict().items()}
        )
        for state in states:
            for name, value in states[0].items():
                assert value == state[name], f"{name} differs between processes"


def run(case: str, **options: Any) -> dict[str, Any]:
    """Train two epochs in float64.

    Return the rows of metrics, the final state, and how many images were tested.
    """
    torch.manual_seed(0)
    model, record = CASES[case]().double(), Record()
    trainer = Trainer(
        max_epochs=2,
        accelerator="cpu",
        callbacks=[EpochSeed(0), Sigma2Statistics(), record],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        **options,
    )
    trainer.fit(model, Noise(case))
    record.rows.append({name: float(value) for name, value in trainer.callback_metrics.items()})
    record.rows += trainer.test(model, Noise(case), verbose=False)
    return {
        "rows": record.rows,
        "state": dict(model.state_dict()),
        "tested": model.evaluation.means.count,
    }


def double_images(images: Tensor) -> Tensor:
    return images.double() / 255


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What two processes make of every case."""
    from tests.running import fork  # not of the two, which know no tests but this file

    out = tmp_path_factory.mktemp("together") / "results.pt"
    # What torchrun sets.
    shared = {
        "TORCHELASTIC_RUN_ID": "together",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(find_free_network_port()),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "GROUP_RANK": "0",
    }
    folders = [out.with_name(f"process_{rank}") for rank in range(2)]
    begun = []
    try:
        for rank, folder in enumerate(folders):
            folder.mkdir()
            own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            begun.append(fork(folder, str(out), script=__file__, **shared, **own))
        for process, folder in zip(begun, folders, strict=True):
            process.join(120)
            complained = folder.with_name(f"{folder.name}.complained").read_text()
            assert process.exitcode == 0, complained
            assert "Warning" not in complained, complained
    finally:
        for process in begun:
            process.kill()
            process.join()
    results: dict[str, Any] = torch.load(out, weights_only=True)
    return results


@pytest.mark.parametrize("case", CASES)
def test_two_processes_do_what_one_does(
    case: str, together: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terms_module, "unit_interval", double_images)
    alone, both = run(case, devices=1), together[case]
    assert both["tested"] == alone["tested"] == 7
    assert len(both["rows"]) == len(alone["rows"]) == 4
    for one, two in zip(alone["rows"], both["rows"], strict=True):
        assert one.keys() == two.keys()
        assert two == pytest.approx(one, rel=1e-9, abs=1e-12)
    assert both["rows"][2]["images_seen"] == 44
    for name, value in alone["state"].items():
        torch.testing.assert_close(both["state"][name], value, rtol=1e-8, atol=1e-10, msg=name)


def test_both_processes_skip_updates(together: dict[str, Any]) -> None:
    rows = together["lagging, skipped updates"]["rows"]
    assert [row["train/skipped_updates"] for row in rows[1:3]] == [6, 3]


def test_alone_everything_is_as_it_is() -> None:
    values = torch.rand(3, 2, requires_grad=True)
    assert collectives.count() == 1
    assert collectives.rank() == 0
    assert collectives.mean(values) is values
    assert collectives.gathered(values) is values
    assert torch.equal(collectives.own_part(values), values)
    assert collectives.objects("own") == ["own"]


def main(out: Path) -> None:
    torch.set_num_threads(1)
    quiet()
    terms_module.unit_interval = double_images
    results = {case: run(case, devices=2, strategy=Replicas()) for case in CASES}
    if collectives.rank() == 0:
        torch.save(results, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
