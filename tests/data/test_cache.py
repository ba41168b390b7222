"""The cache: reused, rebuilt, never half."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep

import numpy as np
import pytest
import torch
from torch import Tensor

from reslag_vae.data import DataError, Images, cache
from reslag_vae.data.cache import decoded

SHAPE = (3, 2, 4)


def read_number(path: Path) -> np.ndarray:
    return np.full((2, 4, 3), int(path.read_text()), np.uint8)


def fail(path: Path) -> np.ndarray:
    raise AssertionError("decoded again")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(5):
        (folder / str(number)).write_text(str(number))
    return folder


def run(source: Path, decode: Callable[[Path], np.ndarray] = read_number, key: str = "key") -> Tensor:
    return decoded(sorted(source.iterdir()), decode, SHAPE, key, source, source.parent)


def stored(source: Path) -> list[Path]:
    return sorted((source.parent / ".cache" / "reslag_vae").iterdir())


def test_images_come_in_the_order_of_the_files(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "CHUNK", 2)
    images = run(source)
    assert images.shape == (5, *SHAPE)
    assert images.dtype == torch.uint8
    assert images[:, 0, 0, 0].tolist() == list(range(5))


def test_pixels_stay_where_they_are_with_the_channels_last_in_memory(source: Path) -> None:
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    for images in (run(source, lambda _: picture), run(source, fail)):
        assert np.array_equal(images[1].numpy(), picture.transpose(2, 0, 1))
        assert images.is_contiguous(memory_format=torch.channels_last)


def test_a_split_of_mapped_images_copies_none(source: Path) -> None:
    images = run(source)
    one, other = (Images(images, torch.zeros(5, dtype=torch.int64)) for _ in range(2))
    assert one.store is other.store
    assert one.store.data_ptr() == images.data_ptr()


def test_nothing_is_decoded_the_second_time(source: Path) -> None:
    first = run(source)
    assert torch.equal(run(source, fail), first)


def test_writing_to_the_images_does_not_reach_the_cache(source: Path) -> None:
    run(source).zero_()
    assert run(source, fail).sum() > 0


@pytest.mark.parametrize("change", ["size", "time", "added", "removed"])
def test_a_changed_file_rebuilds_and_the_old_cache_goes(source: Path, change: str) -> None:
    run(source)
    if change == "size":
        (source / "3").write_text("33")
    elif change == "time":
        os.utime(source / "3", ns=(0, 0))
    elif change == "added":
        (source / "7").write_text("7")
    else:
        (source / "3").unlink()
    with pytest.raises(DataError, match="decoded again"):
        run(source, fail)
    expected = [int(path.read_text()) for path in sorted(source.iterdir())]
    assert run(source)[:, 0, 0, 0].tolist() == expected
    assert len(stored(source)) == 1


def test_other_options_have_their_own_file(source: Path) -> None:
    run(source)
    run(source, key="other")
    assert len(stored(source)) == 2
    run(source, fail)


def test_a_damaged_cache_is_rebuilt(source: Path) -> None:
    images = run(source).clone()
    (path,) = stored(source)
    path.write_bytes(path.read_bytes()[:-1])
    assert torch.equal(run(source), images)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_nothing_is_left_of_a_failed_run(source: Path, error: type[BaseException]) -> None:
    def fail_at_last(path: Path) -> np.ndarray:
        if path.name == "4":
            raise error("no picture")
        return read_number(path)

    with pytest.raises((DataError, KeyboardInterrupt)):
        run(source, fail_at_last)
    assert stored(source) == []


def test_undecodable_files_are_counted_and_the_first_named(source: Path) -> None:
    for number in range(10, 20):
        (source / str(number)).write_text("no number")
    with pytest.raises(DataError, match="10 of 15 pictures") as error:
        run(source)
    assert str(source / "10") in str(error.value)
    assert str(source / "19") not in str(error.value)


def test_a_full_disk_is_told(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", full)
    with pytest.raises(DataError, match=r"GB.*No space left"):
        run(source)
    assert stored(source) == []


def test_the_users_cache_stands_in_for_a_root_that_cannot_be_written(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source.parent / ".cache").write_text("a file in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(source.parent / "user"))
    images = run(source)
    assert torch.equal(run(source, fail), images)
    assert len(list((source.parent / "user" / "reslag_vae").iterdir())) == 1
    monkeypatch.setenv("XDG_CACHE_HOME", str(source.parent / ".cache"))
    with pytest.raises(DataError, match="none of these can be written"):
        run(source)


def test_of_several_at_once_one_decodes_and_all_get_whole_images(source: Path) -> None:
    read: list[Path] = []

    def slowly(path: Path) -> np.ndarray:
        read.append(path)
        sleep(0.02)
        return read_number(path)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: run(source, slowly).clone(), range(8)))
    assert all(torch.equal(result, results[0]) for result in results)
    assert len(stored(source)) == 1
    assert len(read) == 5
