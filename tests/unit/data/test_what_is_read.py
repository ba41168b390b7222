"""What a folder of pictures holds is read once, said, and never guessed: cases by kind."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reslag_vae.data import CelebA, DataError, ImageFolder
from reslag_vae.data.inventory import Inventory

Spoil = Callable[[Path], object]


def noise(name: str, high: int = 256) -> np.ndarray:
    """(12, 12) values below `high`, other ones for every name."""
    return np.random.default_rng(list(name.encode())).integers(high, size=(12, 12))


def place(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(name).astype(np.uint8)).save(path)
    return folder


def many(folder: Path, count: int = 10, suffix: str = "png") -> Path:
    return place(folder, *(f"{number}.{suffix}" for number in range(count)))


def opened(folder: Path, **options: object) -> ImageFolder:
    settings = {"size": 8, "channels": 1} | options
    data = ImageFolder(
        folder.parent, batch_size=2, val_fraction=0.25, seed=0, folder=folder, **settings
    )
    data.setup()
    return data


def inventory(folder: Path, **options: object) -> Inventory:
    return opened(folder, **options).inventory


def counted(folder: Path) -> int:
    return sum(inventory(folder).images.values())


def said(folder: Path) -> str:
    """Everything that the user is told."""
    found = inventory(folder)
    return "\n".join([found.line(), *found.notes])


def refusal(folder: Path, **options: object) -> str:
    with pytest.raises(DataError) as error:
        opened(folder, **options)
    message = str(error.value)
    assert "\n" not in message
    assert "\x1b" not in message
    return message


# Values whose scale the file does not state


def saved(folder: Path, values: Callable[[str], np.ndarray], suffix: str, count: int = 5) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        Image.fromarray(values(str(number))).save(folder / f"{number}.{suffix}")
    return folder


UNSTATED = {
    "floating point to 1": (lambda name: (noise(name) / 255).astype(np.float32), "tif", [0, 1]),
    "floating point to 65535": (
        lambda name: (noise(name) * 257).astype(np.float32),
        "tiff",
        [0, 65535],
    ),
    "integers to 255": (lambda name: noise(name).astype(np.int32), "tif", [0, 255]),
    "12 of 16 bits": (lambda name: noise(name, 4096).astype(np.uint16), "png", [0, 4095]),
    "8 of 16 bits": (lambda name: noise(name).astype(np.uint16), "png", [0, 255]),
    "10 of 16 bits, TIFF": (lambda name: noise(name, 1024).astype(np.uint16), "tif", [0, 1023]),
}


@pytest.mark.parametrize("kind", UNSTATED)
def test_values_without_a_scale_are_refused_with_the_option_that_states_it(
    kind: str, tmp_path: Path
) -> None:
    values, suffix, scale = UNSTATED[kind]
    folder = saved(tmp_path / "mine", values, suffix)
    message = refusal(folder)
    assert f".{suffix}" in message
    assert f"data.range=[0,{scale[1]}]" in message
    data = opened(folder, range=scale)
    store = data.split("train").store.float()
    assert store.std() > 25
    assert data.inventory.pixel_range[1] > 180


def test_full_16_bits_are_read_and_a_dark_picture_among_them_too(tmp_path: Path) -> None:
    folder = saved(
        tmp_path / "mine",
        lambda name: noise(name, 2**16 if name != "0" else 999).astype(np.uint16),
        "png",
    )
    assert counted(folder) == 5


def test_a_stated_range_is_linear_and_cut(tmp_path: Path) -> None:
    values = np.repeat(np.array([[-1.0, 0.0, 0.5, 1.0, 9.0]], np.float32), 5, axis=0)
    folder = saved(tmp_path / "mine", lambda _: values, "tif")
    data = opened(folder, size=5, range=[0, 1])
    assert (
        "5 pictures have values outside of data.range, which are cut to it" in data.inventory.notes
    )
    assert data.split("test").images[0, 0, 0].tolist() == [0, 0, 128, 255, 255]


def test_other_ranges_do_not_share_a_cache(tmp_path: Path) -> None:
    folder = saved(tmp_path / "mine", lambda name: noise(name).astype(np.float32), "tif")
    one, other = (
        opened(folder, range=[0, high]).split("train").store.float().mean() for high in (255, 510)
    )
    assert one > 1.5 * other


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "mine", lambda _: np.full((8, 8), np.nan, np.float32), "tif")
    assert "finite" in refusal(folder, range=[0, 1])


@pytest.mark.parametrize(
    ("bits", "reason"), [(12, "saved anew"), (14, "no value above 16383 of 65535")]
)
def test_colour_of_16_bits_that_is_not_filled_is_refused(
    bits: int, reason: str, tmp_path: Path
) -> None:
    """Pillow keeps the upper 8 bits alone, and says nothing."""
    import struct
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    (tmp_path / "mine").mkdir()
    for number in range(4):
        rows = np.random.default_rng(number).integers(1 << bits, size=(8, 8, 3)).astype(">u2")
        lines = b"".join(b"\0" + row.tobytes() for row in rows)
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0))
        content = (
            b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
        )
        (tmp_path / "mine" / f"{number}.png").write_bytes(content)
    assert reason in refusal(tmp_path / "mine", channels=3)
    assert "data.range is not for colours of 16 bits" in refusal(
        tmp_path / "mine", channels=3, range=[0, 4095]
    )


def test_masks_of_0_and_1_need_a_range_and_one_colour_throughout_stops(tmp_path: Path) -> None:
    folder = saved(tmp_path / "masks", lambda name: noise(name, 2).astype(np.uint8), "png")
    assert "data.range=[0,1]" in refusal(folder)
    assert inventory(folder, range=[0, 1]).pixel_range[1] > 180
    folder = saved(tmp_path / "flat", lambda name: np.full((8, 8), int(name), np.uint8), "png")
    refusal(folder)


def test_one_bit_and_palette_pictures_are_as_bright_as_they_look(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for number in range(4):
        picture = Image.fromarray(noise(str(number)).astype(np.uint8))
        picture.convert("1").save(tmp_path / "mine" / f"{number}.png")
        picture.convert("P").save(tmp_path / "mine" / f"{number}.gif")
    found = inventory(tmp_path / "mine")
    assert found.pixel_range[1] > 150
    assert found.notes == []


# Splits and classes


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("Train", "VAL", "Test"),
        ("training", "dev", "testing"),
        ("TRAIN", "Validation", "TESTING"),
        ("train", "eval", "test"),
    ],
)
def test_splits_go_by_any_spelling(train: str, val: str, test: str, tmp_path: Path) -> None:
    for split, count in ((train, 6), (val, 3), (test, 2)):
        place(
            tmp_path / "mine",
            *(f"{split}/{kind}/{number}.png" for kind in "ab" for number in range(count)),
        )
    found = inventory(tmp_path / "mine")
    assert found.images == {"train": 12, "val": 6, "test": 4}
    assert found.classes == ["a", "b"]


@pytest.mark.parametrize(
    "pair", [("valid", "val"), ("Train", "train"), ("test", "testing"), ("dev", "eval")]
)
def test_two_folders_for_one_split_are_refused(pair: tuple[str, str], tmp_path: Path) -> None:
    for name in {"train", *pair}:
        many(tmp_path / "mine" / name, 4)
    message = refusal(tmp_path / "mine")
    assert all(name in message for name in pair)


def test_what_lies_beside_the_splits_is_said(tmp_path: Path) -> None:
    many(tmp_path / "mine" / "train")
    many(tmp_path / "mine" / "extra", 7)
    place(tmp_path / "mine", "stray.png")
    found = inventory(tmp_path / "mine")
    assert sum(found.images.values()) == 10
    assert sum(found.left_out.values()) == 8
    assert "extra" in said(tmp_path / "mine")


def test_classes_that_differ_in_case_or_in_composition_are_refused(tmp_path: Path) -> None:
    for place_, pair in (("one", ("Cat", "cat")), ("two", ("caf\u00e9", "cafe\u0301"))):
        for split, kind in zip(("train", "test"), pair, strict=True):
            many(tmp_path / place_ / split / kind, 4)
            many(tmp_path / place_ / split / "dog", 4)
        refusal(tmp_path / place_)


def test_a_class_of_one_split_is_said(tmp_path: Path) -> None:
    for name in ("train/a", "train/b", "test/a", "test/c"):
        many(tmp_path / "mine" / name, 4)
    words = said(tmp_path / "mine")
    assert "train has no picture of c" in words
    assert "test has no picture of b" in words


def test_one_stray_picture_takes_no_labels_away(tmp_path: Path) -> None:
    many(tmp_path / "mine" / "a")
    many(tmp_path / "mine" / "b")
    place(tmp_path / "mine", "stray.png")
    found = inventory(tmp_path / "mine")
    assert found.classes == ["a", "b"]
    assert sum(found.images.values()) == 20
    assert sum(found.left_out.values()) == 1
    assert "stray.png" in said(tmp_path / "mine")


def test_where_most_pictures_are_loose_all_are_kept_without_labels(tmp_path: Path) -> None:
    many(tmp_path / "mine", 20)
    many(tmp_path / "mine" / "old", 3)
    found = inventory(tmp_path / "mine")
    assert (found.classes, sum(found.images.values())) == ([], 23)
    assert found.notes


def test_a_flat_test_split_beside_classes_is_kept(tmp_path: Path) -> None:
    many(tmp_path / "mine" / "train" / "a")
    many(tmp_path / "mine" / "train" / "b")
    many(tmp_path / "mine" / "test", 6)
    found = inventory(tmp_path / "mine")
    assert found.images["test"] == 6
    assert found.notes


def test_files_of_other_kinds_are_counted_by_suffix(tmp_path: Path) -> None:
    folder = many(tmp_path / "mine")
    for name in ("1.heic", "2.heic", "3.txt", "picture", "4.CR2"):
        (folder / name).write_bytes(b"x")
    found = inventory(folder)
    assert sum(found.left_out.values()) == 5
    line = found.line()
    assert all(word in line for word in (".heic 2", ".txt 1", ".cr2 1"))


@pytest.mark.parametrize("suffix", ["ppm", "pgm", "jfif", "jpe", "tga", "jp2", "avif", "PPM"])
def test_more_formats_are_read(suffix: str, tmp_path: Path) -> None:
    assert counted(many(tmp_path / "mine", 5, suffix)) == 5


@pytest.mark.parametrize("suffix", ["gif", "tif", "webp", "png"])
def test_files_of_several_pages_are_said(suffix: str, tmp_path: Path) -> None:
    folder = many(tmp_path / "mine")
    pages = [Image.fromarray(noise(f"page {number}").astype(np.uint8)) for number in range(4)]
    pages[0].save(folder / f"pages.{suffix}", save_all=True, append_images=pages[1:])
    assert counted(folder) == 11
    assert "several pages" in said(folder)


# One file under several names


def link_to_parent(folder: Path) -> None:
    (folder / "a" / "up").symlink_to("..")


def links_to_itself(folder: Path) -> None:
    (folder / "l1").symlink_to(".")
    (folder / "l2").symlink_to(".")


def link_to_sibling(folder: Path) -> None:
    (folder / "latest").symlink_to("a")


def link_to_file(folder: Path) -> None:
    (folder / "a" / "again.png").symlink_to("0.png")


def hard_link(folder: Path) -> None:
    os.link(folder / "a" / "0.png", folder / "a" / "z.png")


def link_out_and_back(folder: Path) -> None:
    other = folder.parent / "outside"
    other.mkdir()
    (other / "back").symlink_to(folder)
    (folder / "b" / "out").symlink_to(other)


def link_to_root(folder: Path) -> None:
    (folder / "everything").symlink_to("/")


@pytest.mark.parametrize(
    "spoil",
    [
        link_to_parent,
        links_to_itself,
        link_to_sibling,
        link_to_file,
        hard_link,
        link_out_and_back,
        link_to_root,
    ],
)
def test_a_file_under_two_names_is_read_once_and_that_is_said(spoil: Spoil, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "mine"
    many(folder / "a")
    many(folder / "b", 4)
    before = inventory(folder)
    spoil(folder)
    found = inventory(folder)
    assert found.images == before.images
    assert found.classes == before.classes == ["a", "b"]
    assert found.digests == before.digests
    assert found.left_out
    assert found.notes != before.notes


def test_a_link_to_pictures_elsewhere_is_followed(tmp_path: Path) -> None:
    many(tmp_path / "far")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a").symlink_to(tmp_path / "far")
    many(tmp_path / "mine" / "b")
    found = inventory(tmp_path / "mine")
    assert (found.classes, sum(found.images.values())) == (["a", "b"], 20)


def test_links_across_splits_are_no_second_picture(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    many(folder / "train")
    place(folder, "test/own.png")
    for number in range(3):
        (folder / "test" / f"link{number}.png").symlink_to(folder / "train" / f"{number}.png")
    assert inventory(folder).images["test"] == 1


def test_copies_across_splits_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    many(folder / "train")
    place(folder, "test/own.png")
    shutil.copy(folder / "train" / "3.png", folder / "test" / "copy.png")
    # The same pixels in another format
    Image.open(folder / "train" / "4.png").save(folder / "test" / "again.bmp")
    words = said(folder)
    assert "test/copy.png" in words
    assert "test/again.bmp" in words


# What this program writes


def run_of_ours(folder: Path) -> None:
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text("model: {}")
    place(folder / "figures", "reconstructions.png", "prior_samples.png")


def failed_run(folder: Path) -> None:
    run_of_ours(folder)
    shutil.rmtree(folder / "checkpoints")
    (folder / "train.log").write_text("")


def evaluation_of_ours(folder: Path) -> None:
    place(folder, "samples.png", "tsne.png")
    (folder / "comparison.md").write_text("#")


def study_of_ours(folder: Path) -> None:
    run_of_ours(folder / "mnist" / "vae" / "0")
    (folder / "study.json").write_text("{}")


def dashboard_of_ours(folder: Path) -> None:
    place(
        folder / "wandb" / "offline-run-20260101_000000-abc" / "files" / "media" / "images", "a.png"
    )


def export_of_ours(folder: Path) -> None:
    place(folder, "sample.png")
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_text("")


@pytest.mark.parametrize(
    "write",
    [run_of_ours, failed_run, evaluation_of_ours, study_of_ours, dashboard_of_ours, export_of_ours],
)
@pytest.mark.parametrize("where", ["runs/image_folder/vae/now", "train/runs/x"])
def test_own_output_is_not_read(write: Spoil, where: str, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    many(folder / "train" if where.startswith("train") else folder)
    before = inventory(folder)
    write(folder / where)
    found = inventory(folder)
    assert found.digests == before.digests
    assert sum(found.left_out.values()) > sum(before.left_out.values())


def test_a_run_in_the_folder_of_the_pictures_itself(tmp_path: Path) -> None:
    folder = many(tmp_path / "mine")
    before = inventory(folder).digests
    run_of_ours(folder)
    assert inventory(folder).digests == before


@pytest.mark.parametrize("name", ["runs", "figures", "studies", "outputs", "wandb"])
def test_a_folder_that_is_only_called_so_is_read(name: str, tmp_path: Path) -> None:
    many(tmp_path / "mine" / "other")
    many(tmp_path / "mine" / name, 6)
    assert counted(tmp_path / "mine") == 16


# Odd files


def fifo(folder: Path) -> None:
    os.mkfifo(folder / "x.png")


def link_to_device(folder: Path) -> None:
    (folder / "x.png").symlink_to("/dev/zero")


def socket_file(folder: Path) -> None:
    os.mknod(folder / "x.png", 0o140600)


def broken_link(folder: Path) -> None:
    (folder / "x.png").symlink_to("nowhere")


def link_to_its_own_name(folder: Path) -> None:
    (folder / "x.png").symlink_to("x.png")


def folder_called_like_a_picture(folder: Path) -> None:
    (folder / "x.png").mkdir()
    (folder / "x.png" / "fifo.jpg").symlink_to("/dev/stdin")


@pytest.mark.parametrize(
    "spoil",
    [
        fifo,
        link_to_device,
        socket_file,
        broken_link,
        link_to_its_own_name,
        folder_called_like_a_picture,
    ],
)
def test_odd_files_are_left_out_by_name(spoil: Spoil, tmp_path: Path) -> None:
    folder = many(tmp_path / "mine")
    spoil(folder)
    assert "x.png" in said(folder)
    assert counted(folder) == 10


def test_a_folder_that_cannot_be_listed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permissions do not bind the administrator, so that the system's answer is played."""
    folder = tmp_path / "mine"
    many(folder / "a")
    many(folder / "b")
    scandir = os.scandir

    def refused(path: str | Path = ".") -> object:
        if os.fspath(path).rstrip("/").endswith("mine/b"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    assert "mine/b" in refusal(folder)


def test_a_picture_that_vanishes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, opens = many(tmp_path / "mine"), Image.open

    def vanished(path: Path, *arguments: object, **options: object) -> object:
        if str(getattr(path, "name", path)).endswith("3.png"):
            os.unlink(folder / "3.png")
        return opens(path, *arguments, **options)

    monkeypatch.setattr(Image, "open", vanished)
    assert "3.png" in refusal(folder)


def test_a_picture_that_is_too_large_is_named_with_its_size(tmp_path: Path) -> None:
    folder = many(tmp_path / "mine")
    (folder / "large.ppm").write_bytes(b"P5 50000 50000 255 ")
    message = refusal(folder)
    assert "large.ppm" in message
    assert "2500000000" in message.replace(",", "") or "50000" in message.replace(",", "")


def test_short_memory_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "resize", short)
    message = refusal(many(tmp_path / "mine"))
    assert "emory" in message
    assert "repair" not in message


def test_a_program_is_never_started_for_a_picture(tmp_path: Path) -> None:
    """Pillow gives PostScript to Ghostscript, whatever the file is called."""
    folder = many(tmp_path / "mine")
    (folder / "x.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\nshowpage\n"
    )
    assert "identify" in refusal(folder)


@pytest.mark.parametrize(
    "name", ["c\x1b[2Jx.png", "two\nlines.png", "\u202egnp.png", os.fsdecode(b"\xff.png")]
)
def test_names_cannot_steer_the_terminal(name: str, tmp_path: Path) -> None:
    folder = many(tmp_path / "mine")
    (folder / name).write_text("no picture")
    message = refusal(folder)
    assert message.isprintable()
    (folder / name).unlink()
    many(folder / "a", 20)
    (folder / "a" / name).symlink_to("nowhere")
    assert all(note.isprintable() for note in inventory(folder).notes)


# The identity


def rename(folder: Path) -> None:
    (folder / "0.png").rename(folder / "00.png")


def swap(folder: Path) -> None:
    (folder / "0.png").rename(folder / "tmp")
    (folder / "1.png").rename(folder / "0.png")
    (folder / "tmp").rename(folder / "1.png")


def edit_in_place(folder: Path) -> None:
    """To a picture of the same size and time."""
    path = folder / "0.bmp"
    state = path.stat()
    Image.fromarray(255 - noise("0.bmp").astype(np.uint8)).save(path)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert path.stat().st_size == state.st_size


def add(folder: Path) -> None:
    place(folder, "000.png")


def remove(folder: Path) -> None:
    (folder / "0.png").unlink()


def replace_one(folder: Path) -> None:
    remove(folder)
    place(folder, "zz.png")


@pytest.mark.parametrize("change", [rename, swap, edit_in_place, add, remove, replace_one])
def test_a_change_of_the_pictures_changes_the_digests(change: Spoil, tmp_path: Path) -> None:
    folder = place(many(tmp_path / "mine"), "0.bmp")
    before = inventory(folder).digests
    change(folder)
    assert inventory(folder).digests != before


def test_moved_pictures_are_the_same(tmp_path: Path) -> None:
    folder = many(tmp_path / "mine")
    before = inventory(folder).digests
    assert inventory(folder).digests == before  # from the cache
    (tmp_path / "elsewhere").mkdir()
    moved = folder.rename(tmp_path / "elsewhere" / "yours")
    assert inventory(moved).digests == before


# Options


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("seed", [True, 0.5, -1, 2**32, "1", None, float("nan")]),
        ("batch_size", ["8", 0, True, 2.0, None, [4], 10**30]),
        ("val_fraction", [float("nan"), "0.1", 0, 1, True, None]),
        ("size", [[32, 64], "8", 0, True, 8.5, 10**9, None]),
        ("channels", [2, True, "3", None, 3.5]),
        (
            "range",
            [[1, 0], [0, 0], 5, "0,1", [0, float("nan")], [0, 1, 2], [False, True], {}, [0, "1"]],
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_the_name_of_its_option(
    option: str, values: list[object]
) -> None:
    for value in values:
        settings = {
            "root": "r",
            "batch_size": 4,
            "val_fraction": 0.1,
            "seed": 0,
            "folder": "f",
            "size": 8,
            "channels": 1,
        }
        with pytest.raises(ValueError, match=f"data.{option}"):
            ImageFolder(**(settings | {option: value}))  # type: ignore[arg-type]


def test_a_name_that_no_system_takes_is_no_folder(tmp_path: Path) -> None:
    refusal(tmp_path / ("x" * 300))


def test_no_home_folder_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(*_: object) -> None:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert counted(many(tmp_path / "mine")) == 10


@pytest.mark.parametrize("value", [7, -1])
def test_a_partition_of_other_numbers_is_damaged(value: int, tmp_path: Path) -> None:
    place(tmp_path / "celeba" / "img_align_celeba", *(f"{number:06}.png" for number in range(1, 9)))
    lines = [f"{number:06}.jpg {number % 3 if number > 1 else value}" for number in range(1, 9)]
    (tmp_path / "celeba" / "list_eval_partition.txt").write_text("\n".join(lines))
    with pytest.raises(DataError, match="0 for train, 1 for val or 2 for test"):
        CelebA(tmp_path, 4, 0.2, 0, size=8).setup()


def test_a_face_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    names = [f"{number:06}.png" for number in range(1, 9)]
    place(tmp_path / "celeba" / "img_align_celeba", *names, "img_align_celeba/000003.jpg")
    with pytest.raises(DataError, match="000003 is there twice"):
        CelebA(tmp_path, 4, 0.2, 0, size=8).setup()


# Grey of more than 8 bits, and what is transparent


def test_grey_of_16_bits_is_read_in_every_format(tmp_path: Path) -> None:
    values = {str(number): noise(str(number), 2**16).astype(np.uint16) for number in range(5)}
    for suffix in ("png", "tif", "pgm"):
        folder = saved(tmp_path / suffix, lambda name: values[name], suffix)
        store = opened(folder, size=12).split("train").store
        assert np.abs(store[0, 0].numpy().astype(int) - (values["0"] >> 8).astype(int)).max() <= 1


def test_a_negative_of_16_bits_is_turned(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for number in range(5):
        values = noise(str(number), 2**16).astype(np.uint16)
        Image.fromarray(values).save(tmp_path / "mine" / f"{number}.tif", tiffinfo={262: 0})
    store = opened(tmp_path / "mine", size=12).split("train").store
    assert np.abs(store[0, 0].numpy().astype(int) - ((65535 - noise("0", 2**16)) >> 8)).max() <= 1


@pytest.mark.parametrize("kind", ["16 bits", "8 bits with a range"])
def test_what_is_transparent_is_white(kind: str, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for number in range(5):
        deep = kind == "16 bits"
        values = noise(str(number), 2**16 if deep else 256).astype(np.uint16 if deep else np.uint8)
        values[:6] = 0
        Image.fromarray(values).save(tmp_path / "mine" / f"{number}.png", transparency=0)
    store = (
        opened(tmp_path / "mine", size=12, range=None if kind == "16 bits" else [0, 255])
        .split("train")
        .store
    )
    assert store[:, :, :6].min() == 255


def test_a_range_is_of_the_colours_beside_an_alpha_channel_and_not_of_a_palette(
    tmp_path: Path,
) -> None:
    for number in range(5):
        grey = Image.fromarray(noise(str(number), 20).astype(np.uint8))
        for name, picture in (("alpha", grey.convert("LA")), ("palette", grey.convert("P"))):
            (tmp_path / name).mkdir(exist_ok=True)
            picture.save(tmp_path / name / f"{number}.png")
    assert inventory(tmp_path / "alpha", range=[0, 19]).pixel_range[1] > 180
    assert "its mode is P" in refusal(tmp_path / "palette", range=[0, 19])


def test_pictures_on_another_scale_among_others_are_told(tmp_path: Path) -> None:
    folder = saved(
        tmp_path / "mine",
        lambda name: noise(name, 256 if name == "0" else 2).astype(np.uint8),
        "png",
    )
    assert "4 pictures are nearly black, with no value above 15 of 255: other scales?" in said(
        folder
    )


def test_splits_one_level_down_are_told(tmp_path: Path) -> None:
    place(
        tmp_path / "mine",
        *(f"images/{split}/{number}.png" for split in ("train", "test") for number in range(4)),
    )
    assert "images/test, images/train are read together, not as splits" in said(tmp_path / "mine")
