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

from reslag_vae.data import DataError, Images, decoding
from reslag_vae.data.cache import decode_once
from reslag_vae.data.pictures import Picture

SHAPE = (3, 2, 4)


def read_number(path: Path) -> Picture:
    return Picture(np.full((2, 4, 3), int(path.read_text()), np.uint8))


def fail(path: Path) -> Picture:
    raise AssertionError("decoded again")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(5):
        (folder / str(number)).write_text(str(number))
    return folder


def run(source: Path, decode: Callable[[Path], Picture] = read_number, key: str = "key") -> Tensor:
    return decode_once(sorted(source.iterdir()), decode, SHAPE, key, source, source.parent).images


def stored(source: Path) -> list[Path]:
    """The files of pixels; each has one of facts beside it, and there is nothing else."""
    files = sorted((source.parent / ".cache" / "reslag_vae").iterdir())
    pixels = [path for path in files if path.suffix == ".npy"]
    assert set(files) == {
        path.with_suffix(suffix) for path in pixels for suffix in (".npy", ".npz")
    }
    return pixels


def test_images_come_in_the_order_of_the_files(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "CHUNK", 2)
    images = run(source)
    assert images.shape == (5, *SHAPE)
    assert images.dtype == torch.uint8
    assert images[:, 0, 0, 0].tolist() == list(range(5))


def test_pixels_stay_where_they_are_with_the_channels_last_in_memory(source: Path) -> None:
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    for images in (run(source, lambda _: Picture(picture)), run(source, fail)):
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
    def fail_at_last(path: Path) -> Picture:
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
    assert len(list((source.parent / "user" / "reslag_vae").iterdir())) == 2
    monkeypatch.setenv("XDG_CACHE_HOME", str(source.parent / ".cache"))
    with pytest.raises(DataError, match="none of these can be written"):
        run(source)


def test_of_several_at_once_one_decodes_and_all_get_whole_images(source: Path) -> None:
    read: list[Path] = []

    def slowly(path: Path) -> Picture:
        read.append(path)
        sleep(0.02)
        return read_number(path)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: run(source, slowly).clone(), range(8)))
    assert all(torch.equal(result, results[0]) for result in results)
    assert len(stored(source)) == 1
    assert len(read) == 5


def test_what_a_kill_left_goes_with_the_next_start(source: Path) -> None:
    run(source)
    place = source.parent / ".cache" / "reslag_vae"
    stem = stored(source)[0].stem.rpartition("-")[0]
    (place / f".decoding-{stem}-killed").mkdir()
    (place / f".decoding-{stem}-killed" / "half.npy").touch()
    (source / "7").write_text("7")
    run(source)
    assert len(stored(source)) == 1


def test_a_file_edited_with_the_same_size_and_time_is_decoded_again(source: Path) -> None:
    run(source)
    before = (source / "3").stat()
    (source / "3").write_text("9")
    os.utime(source / "3", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run(source)[3, 0, 0, 0] == 9


def test_who_has_no_home_needs_none(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert len(run(source)) == 5
    (source.parent / ".cache" / "reslag_vae").rename(source.parent / "gone")
    (source.parent / ".cache").rmdir()
    (source.parent / ".cache").write_text("in the way")
    with pytest.raises(DataError, match="none of these can be written"):
        run(source)


def test_facts_come_back_with_the_images(source: Path) -> None:
    def read(path: Path) -> Picture:
        number = int(path.read_text())
        return read_number(path)._replace(frames=number + 1, peak=number * 1000)

    files = sorted(source.iterdir())
    for how in (read, fail):
        found = decode_once(files, how, SHAPE, "key", source, source.parent)
        assert found.frames.tolist() == [1, 2, 3, 4, 5]
        assert found.peaks.tolist() == [0, 1000, 2000, 3000, 4000]
        assert found.constant.all()
        assert len(set(found.digests.tolist())) == 5


def test_what_is_refused_is_not_kept(source: Path) -> None:
    def refuse(_: object) -> None:
        raise DataError("refused")

    with pytest.raises(DataError, match="refused"):
        decode_once(
            sorted(source.iterdir()), read_number, SHAPE, "key", source, source.parent, refuse
        )
    assert stored(source) == []
