"""The data module, shown on the set that needs no files."""

from pathlib import Path
from types import SimpleNamespace

import lightning
import pytest
import torch
from torch import Tensor

from reslag_vae.data import Digits, Images
from reslag_vae.data.images import Batch
from tests.trainers import silent_trainer


def digits(batch_size: int = 64, val_fraction: float = 0.1, seed: int = 0) -> Digits:
    data = Digits(root="unused", batch_size=batch_size, val_fraction=val_fraction, seed=seed)
    data.setup()
    return data


def test_shape_is_known_before_setup_and_nothing_else() -> None:
    data = Digits(root="unused", batch_size=4, val_fraction=0.1, seed=0)
    assert data.image_shape == (1, 28, 28)
    with pytest.raises(RuntimeError, match="setup"):
        data.split("train")


def rows(data: Digits, name: str) -> list[int]:
    return data.split(name).rows.tolist()


def test_splits_are_disjoint_and_complete() -> None:
    data = digits()
    assert sorted(rows(data, "train") + rows(data, "val") + rows(data, "test")) == list(range(1797))


def test_the_seed_moves_validation_but_never_test() -> None:
    one, other = digits(seed=0), digits(seed=1, val_fraction=0.3)
    assert rows(one, "test") == rows(other, "test")
    assert not set(rows(one, "val")) <= set(rows(other, "val"))
    assert rows(one, "val") == rows(digits(seed=0), "val")


def test_loaders_give_whole_batches() -> None:
    data = digits(batch_size=100)
    loader = data.train_dataloader()
    batches = list(loader)
    assert all(isinstance(batch, Batch) for batch in batches)
    assert len(loader) == len(batches)
    assert sum(len(batch.images) for batch in batches) == len(data.split("train"))
    assert batches[0].images.shape == (100, 1, 28, 28)
    assert batches[0].labels.dtype == torch.int64


def test_evaluation_loaders_keep_the_order() -> None:
    data = digits()
    labels = torch.cat([batch.labels for batch in data.val_dataloader()])
    assert torch.equal(labels, data.split("val").labels)
    labels = torch.cat([batch.labels for batch in data.test_dataloader()])
    assert torch.equal(labels, data.split("test").labels)


def test_making_and_reading_loaders_leaves_the_global_random_state() -> None:
    data = digits()
    before = torch.get_rng_state()
    list(data.train_dataloader())
    list(data.val_dataloader())
    assert torch.equal(torch.get_rng_state(), before)


def trainer(device: str, rank: int = 0, world_size: int = 1) -> SimpleNamespace:
    """What a data module asks of a Trainer."""
    strategy = SimpleNamespace(root_device=torch.device(device))
    return SimpleNamespace(global_rank=rank, world_size=world_size, strategy=strategy)


def test_loaders_take_their_share_from_the_trainer() -> None:
    data = digits()
    parts = []
    for rank in range(3):
        data.trainer = trainer("cpu", rank, world_size=3)
        parts.append(torch.cat([batch.labels for batch in data.val_dataloader()]))
    batches = data.split("val").labels.split(data.batch_size)
    assert all(torch.equal(part, torch.cat(batches[rank::3])) for rank, part in enumerate(parts))


@pytest.mark.parametrize("times", [1.9, 2.1])
def test_images_lie_on_the_gpu_where_half_of_its_memory_holds_them(
    monkeypatch: pytest.MonkeyPatch, times: float
) -> None:
    data = digits()
    data.trainer = trainer("cuda")
    store, moved = data.split("train").store, []

    def to(images: Images, device: torch.device, stores: dict[Tensor, Tensor]) -> Images:
        moved.append((len(images), device.type))
        stores[images.store] = images.store
        return images

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (int(times * store.nbytes), 0))
    monkeypatch.setattr(Images, "to", to)
    data.train_dataloader(), data.val_dataloader()
    sizes = [len(data.split("train")), len(data.split("val"))]
    assert moved == ([(size, "cuda") for size in sizes] if times > 2 else [])


@pytest.mark.parametrize(
    ("option", "value"),
    [("batch_size", 0), ("val_fraction", 0.0), ("val_fraction", 1.0), ("seed", -1)],
)
def test_an_argument_out_of_range_is_named(option: str, value: float) -> None:
    arguments = {"batch_size": 4, "val_fraction": 0.1, "seed": 0} | {option: value}
    with pytest.raises(ValueError, match=f"data.{option}"):
        Digits(root="unused", **arguments)


class Recorder(lightning.LightningModule):
    """Keeps the first labels of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.seen: dict[int, Tensor] = {}

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        self.seen.setdefault(self.current_epoch, batch.labels)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        pass

    def configure_optimizers(self) -> None:
        return None


def fit(folder: Path, epochs: int, checkpoint: Path | None = None) -> Recorder:
    model = Recorder()
    trainer = silent_trainer(
        max_epochs=epochs,
        limit_train_batches=2,
        use_distributed_sampler=False,
        default_root_dir=folder,
    )
    data = Digits(root="unused", batch_size=64, val_fraction=0.1, seed=0)
    trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    trainer.save_checkpoint(folder / "last.ckpt")
    return model


@pytest.mark.filterwarnings("ignore")  # Lightning's, of workers, hardware and its own use of torch
def test_lightning_sets_the_epoch_and_a_resumed_run_goes_on_with_its_order(tmp_path: Path) -> None:
    uninterrupted = fit(tmp_path, epochs=3).seen
    fit(tmp_path, epochs=2)
    resumed = fit(tmp_path, epochs=3, checkpoint=tmp_path / "last.ckpt").seen
    assert list(resumed) == [2]
    assert torch.equal(resumed[2], uninterrupted[2])
    assert not torch.equal(uninterrupted[0], uninterrupted[1])
