"""Dynamic binarisation: exact probabilities, fresh in training, fixed in evaluation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from omegaconf import DictConfig
from torch import Tensor

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.data import MNIST, ImageDataModule, Images, Omniglot
from reslag_vae.data.base import Binarize
from reslag_vae.data.binarizable import BinarizableDataModule
from reslag_vae.data.binarize import LEVELS, DrawnBatches, DrawnImages, draw, drawn_once
from reslag_vae.data.images import Batch, Source
from reslag_vae.data.sampling import ShuffledBatches
from reslag_vae.networks import Network
from reslag_vae.runs.build import instantiate
from reslag_vae.training.build import build
from reslag_vae.training.callbacks import BestAndLast, EpochSeed
from reslag_vae.variants import VAE
from tests.systems import make_system

SHAPE = (1, 8, 8)


class Grey(BinarizableDataModule):
    """Images of all intensities, labelled by number; train and test have their own stores."""

    name = "grey"
    image_shape = SHAPE

    def __init__(self, binarize: Binarize = "dynamic", batch_size: int = 8, seed: int = 0) -> None:
        super().__init__("unused", batch_size, val_fraction=0.2, seed=seed, binarize=binarize)
        self.setup()

    def read(self) -> Source:
        generator = torch.Generator().manual_seed(1)
        splits = []
        for size in (22, 7):
            pixels = torch.randint(256, (size, *SHAPE), generator=generator, dtype=torch.uint8)
            splits.append(Images(pixels, torch.arange(size)))
        return Source(splits[0], None, splits[1], [str(number) for number in range(22)])


def pixels_of(batches: Any) -> Tensor:
    return torch.cat([batch.images for batch in batches])


def labels_of(batches: Any) -> list[int]:
    return torch.cat([batch.labels for batch in batches]).tolist()


def test_of_all_levels_as_many_make_a_pixel_white_as_it_is_intense() -> None:
    intensities = torch.arange(256, dtype=torch.uint8)[:, None].expand(256, LEVELS).contiguous()
    levels = torch.arange(LEVELS, dtype=torch.uint8).expand(256, LEVELS)
    drawn = draw(intensities, levels)
    assert drawn.dtype == torch.uint8
    assert set(drawn.unique().tolist()) == {0, 255}
    assert (drawn == 255).sum(1).tolist() == list(range(256))


def test_a_pixel_is_white_with_the_probability_of_its_intensity() -> None:
    """Within six standard deviations of the mean of 20,000 draws, for every intensity."""
    count = 20_000
    ramp = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).expand(count, 1, 16, 16)
    images = DrawnImages(Images(ramp, torch.zeros(count, dtype=torch.int64)))
    batches = DrawnBatches(ShuffledBatches(count, 1000, seed=0), (1, 16, 16))
    white = sum((images[batch].images == 255).sum(0, dtype=torch.float64) for batch in batches)
    found = torch.as_tensor(white).flatten() / count
    wanted = torch.arange(256, dtype=torch.float64) / 255
    bound = 6 * (wanted * (1 - wanted) / count).sqrt()
    assert ((found - wanted).abs() <= bound).all()
    assert (found[0], found[-1]) == (0, 1)


def test_neighbouring_pixels_are_drawn_independently() -> None:
    count = 4_000
    grey = torch.full((count, *SHAPE), 128, dtype=torch.uint8)
    images = DrawnImages(Images(grey, torch.zeros(count, dtype=torch.int64)))
    batches = DrawnBatches(ShuffledBatches(count, 500, seed=0), SHAPE)
    white = pixels_of(images[batch] for batch in batches).flatten(1).double() / 255
    correlations = torch.corrcoef(white.T) - torch.eye(64, dtype=torch.float64)
    assert correlations.abs().max() < 6 / count**0.5


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_an_evaluation_sees_the_same_draw_every_time_and_for_every_batch_size(split: Any) -> None:
    data = Grey()
    first = pixels_of(data.in_order(split))
    assert set(first.unique().tolist()) == {0, 255}
    list(data.train_dataloader())
    torch.manual_seed(5)
    for other in (data, Grey(batch_size=3)):
        assert torch.equal(pixels_of(other.in_order(split)), first)
    assert torch.equal(data.split(split).images, first)


def test_the_seed_of_the_run_moves_images_between_splits_and_draws_none_anew() -> None:
    one, other = Grey(seed=0), Grey(seed=1)
    assert one.split("val").rows.tolist() != other.split("val").rows.tolist()
    assert torch.equal(one.split("train").store, other.split("train").store)


def test_splits_of_one_store_share_the_drawn_one_and_other_stores_have_other_draws() -> None:
    grey = Images(torch.full((9, *SHAPE), 128).byte(), torch.arange(9))
    twin = Images(grey.store.clone(), grey.labels)
    one, other, part = drawn_once([grey, twin, grey.part(torch.tensor([4, 2]))])
    assert part.store is one.store
    assert torch.equal(part.images, one.images[[4, 2]])
    assert part.labels.tolist() == [4, 2]
    assert not torch.equal(one.images, other.images)
    assert (grey.store == 128).all()


def test_every_pass_of_training_draws_anew() -> None:
    data = Grey()
    loader = data.train_dataloader()
    by_label = []
    for _ in range(3):
        batches = list(loader)
        order = torch.tensor(labels_of(batches)).argsort()
        by_label.append(pixels_of(batches)[order])
    fixed = data.split("train").images[data.split("train").labels.argsort()]
    for first, second in ((0, 1), (1, 2), (0, 2)):
        assert not torch.equal(by_label[first], by_label[second])
    assert not any(torch.equal(own, fixed) for own in by_label)
    grey = data._trained_on.images[data.split("train").labels.argsort()]
    for own in by_label:
        assert (own[grey == 0] == 0).all()
        assert (own[grey == 255] == 255).all()


def test_the_order_and_the_labels_are_those_of_the_grey_images() -> None:
    dynamic, grey = Grey().train_dataloader(), Grey(binarize=None).train_dataloader()
    for epoch in (0, 3):
        for loader in (dynamic, grey):
            loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        assert len(dynamic) == len(grey)
        assert labels_of(dynamic) == labels_of(grey)


def test_a_batch_lies_in_memory_as_a_grey_one() -> None:
    drawn = next(iter(Grey().train_dataloader())).images
    grey = next(iter(Grey(binarize=None).train_dataloader())).images
    assert (drawn.dtype, drawn.shape, drawn.stride()) == (grey.dtype, grey.shape, grey.stride())


def test_training_leaves_the_grey_images_and_the_global_random_state() -> None:
    data = Grey()
    before, grey = torch.get_rng_state(), data._trained_on.store.clone()
    list(data.train_dataloader())
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(data._trained_on.store, grey)
    assert len(grey.unique()) > 2


def epoch_of(data: ImageDataModule, epoch: int) -> Tensor:
    loader = data.train_dataloader()
    iterator = iter(loader)  # Lightning makes the first iterator before it sets the epoch
    loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
    return pixels_of(iterator)


def test_the_draws_depend_on_the_seed_and_the_epoch_alone() -> None:
    assert torch.equal(epoch_of(Grey(), 2), epoch_of(Grey(), 2))
    assert not torch.equal(epoch_of(Grey(), 2), epoch_of(Grey(), 3))
    samplers = [DrawnBatches(ShuffledBatches(9, 4, seed), SHAPE) for seed in (0, 1)]
    (_, one), (_, other) = [next(iter(sampler)) for sampler in samplers]
    assert not torch.equal(one, other)


def test_an_epoch_of_several_passes_draws_each_anew() -> None:
    batches = DrawnBatches(ShuffledBatches(9, 4, seed=0, passes_of_epoch=3), SHAPE)
    drawn = list(batches)
    assert len(drawn) == len(batches) == 9
    order = torch.cat([positions for positions, _ in drawn]).view(3, 9)
    assert torch.equal(order.sort(dim=1).values, torch.arange(9).expand(3, 9))
    first, again = (torch.cat([own for _, own in drawn[i : i + 3]]) for i in (0, 3))
    assert not torch.equal(first[order[0].argsort()], again[order[1].argsort()])


def test_a_pass_begun_within_a_pass_leaves_it_alone() -> None:
    data = Grey()
    expected = epoch_of(data, 1)
    loader = data.train_dataloader()
    loader.sampler.set_epoch(1)  # type: ignore[attr-defined]
    outer = iter(loader)
    first = next(outer)
    inner = pixels_of(loader)
    assert torch.equal(pixels_of([first, *outer]), expected)
    assert not torch.equal(inner, expected)


@pytest.mark.parametrize("length", [16, 22, 23])
@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_together_draw_what_one_draws(world_size: int, length: int) -> None:
    images = DrawnImages(Images(torch.full((length, *SHAPE), 99).byte(), torch.arange(length)))

    def batches(rank: int, count: int) -> list[Batch]:
        positions = ShuffledBatches(length, 6, 5, rank, count)
        return [images[batch] for batch in DrawnBatches(positions, SHAPE)]

    shares = [batches(rank, world_size) for rank in range(world_size)]
    for whole, parts in zip(batches(0, 1), zip(*shares, strict=True), strict=False):
        together = pixels_of(parts)
        assert len(together) >= len(whole.images) - world_size + 1
        assert torch.equal(together, whole.images[: len(together)])
        assert labels_of(parts) == whole.labels[: len(together)].tolist()


def test_a_resumed_run_ends_bitwise_where_an_uninterrupted_one_does(
    make_network: Callable[..., Network], fit: Callable[..., Trainer], tmp_path: Path
) -> None:
    def run(folder: Path, epochs: int, checkpoint: Path | None = None) -> dict[str, Tensor]:
        torch.manual_seed(0)
        model = make_system(VAE, make_network())
        callbacks = [EpochSeed(0), BestAndLast()]
        fit(model, Grey(), epochs, callbacks, checkpoint, default_root_dir=folder)
        return {name: value.clone() for name, value in model.state_dict().items()}

    whole = run(tmp_path / "whole", 3)
    run(tmp_path / "cut", 1)
    resumed = run(tmp_path / "cut", 3, tmp_path / "cut" / "checkpoints" / "last.ckpt")
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_the_name_and_the_inventory_say_it() -> None:
    data = Grey()
    assert (data.name, data.key) == ("grey_dynamic", "grey_dynamic")
    assert any(note.startswith("dynamic binarisation") for note in data.inventory.notes)
    assert data.inventory.digests != Grey(binarize=None).inventory.digests
    plain = Grey(binarize=None)
    assert (plain.name, plain.inventory.notes) == ("grey", [])
    assert MNIST("unused", 8, 0.1, 0, "dynamic").name == "mnist_dynamic"
    assert MNIST("unused", 8, 0.1, 0).name == MNIST.name == "mnist"
    assert Omniglot("unused", 8, 0.1, 0, binarize="dynamic").name == "omniglot_dynamic"


def test_another_word_is_refused(compose: Callable[..., DictConfig]) -> None:
    with pytest.raises(ValueError, match=r"data\.binarize=static: must be one of dynamic, or null"):
        MNIST("unused", 8, 0.1, 0, "static")  # type: ignore[arg-type]
    config = compose("model=vae", "data=omniglot", "data.binarize=true", "logger=none")
    with pytest.raises(ConfigError, match=r"data\.binarize=true: must be one of dynamic"):
        build(config, Path("unused"))


@pytest.mark.parametrize("name", ["fashion_mnist", "binarized_mnist", "cifar10", "digits"])
def test_a_data_set_without_the_option_refuses_it(
    name: str, compose: Callable[..., DictConfig]
) -> None:
    config = compose("model=vae", f"data={name}", "+data.binarize=dynamic", "logger=none")
    with pytest.raises(
        ConfigError, match=r"data\.binarize: there is no such option in what was chosen"
    ):
        build(config, Path("unused"))


@pytest.mark.parametrize("name", ["mnist", "omniglot"])
@pytest.mark.parametrize("how", ["null", "dynamic"])
def test_the_option_reaches_the_data_set(
    name: str, how: str, compose: Callable[..., DictConfig]
) -> None:
    data = instantiate(compose("model=vae", f"data={name}", f"data.binarize={how}").data)
    assert data.binarize == (None if how == "null" else how)
