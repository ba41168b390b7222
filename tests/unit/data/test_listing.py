"""Every picture once, and what is left out counted."""

import os
import socket
from pathlib import Path

import pytest

from reslag_vae.data import DataError
from reslag_vae.data.listing import find_pictures


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in find_pictures(folder).files]


def test_a_link_to_the_folder_itself_adds_nothing(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "2.png")
    for name in ("l1", "l2", "a/up"):
        (tmp_path / name).symlink_to(tmp_path)
    assert names(tmp_path) == ["2.png", "a/1.png"]
    assert find_pictures(tmp_path).left_out == {"folders that are read already": 3}


def test_a_link_to_a_sibling_adds_nothing_and_the_real_name_counts(tmp_path: Path) -> None:
    touch(tmp_path, "zz-2026/1.png")
    (tmp_path / "latest").symlink_to("zz-2026")
    (tmp_path / "0.png").symlink_to("zz-2026/1.png")
    assert names(tmp_path) == ["zz-2026/1.png"]


def test_what_lies_elsewhere_is_reached_by_links(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/a/1.png", "elsewhere/2.png", "mine/3.png")
    (tmp_path / "mine" / "a").symlink_to(tmp_path / "elsewhere" / "a")
    (tmp_path / "mine" / "b.png").symlink_to(tmp_path / "elsewhere" / "2.png")
    assert names(tmp_path / "mine") == ["3.png", "a/1.png", "b.png"]
    (tmp_path / "link").symlink_to("mine")
    assert len(names(tmp_path / "link")) == 3


def test_a_file_with_two_names_is_one(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "2.png")
    os.link(tmp_path / "1.png", tmp_path / "3.png")
    assert names(tmp_path) == ["1.png", "2.png"]
    assert find_pictures(tmp_path).left_out == {"further names of the same file": 1}


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    touch(tmp_path, "1.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "nowhere.png").symlink_to("nothing")
    (tmp_path / "itself.png").symlink_to("itself.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.png"))
    assert names(tmp_path) == ["1.png"]
    assert find_pictures(tmp_path).left_out == {
        "pipes, sockets and devices": 3,
        "links that lead nowhere": 2,
    }


def test_files_of_other_kinds_are_counted_by_their_suffix(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "1.png",
        "a.heic",
        "b.HEIC",
        "c.mp4",
        "noname",
        ".hidden.png",
        ".git/x.png",
        "x\x1b[2J.\x1b",
    )
    assert find_pictures(tmp_path).left_out == {
        ".heic": 2,
        ".mp4": 1,
        "without a suffix": 1,
        "hidden": 2,
        ".\\x1b": 1,
    }


@pytest.mark.parametrize(
    "own",
    [
        ("config.yaml", "checkpoints/best.ckpt"),
        ("config.yaml", "metrics.csv"),
        ("config.yaml", "run.json"),
        ("config.json", "model.safetensors"),
        ("comparison.md",),
        ("study.json",),
    ],
)
def test_what_this_program_has_written_is_not_read(own: tuple[str, ...], tmp_path: Path) -> None:
    touch(
        tmp_path,
        "1.png",
        *(f"runs/mine/{name}" for name in (*own, "figures/test/samples.png", "a.png")),
    )
    assert names(tmp_path) == ["1.png"]
    assert find_pictures(tmp_path).left_out == {"folders that this program has written": 1}


def test_a_configuration_of_somebody_elses_hides_nothing(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "config.yaml", "a/config.json", "a/2.png")
    assert names(tmp_path) == ["1.png", "a/2.png"]


def test_a_folder_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a/1.png", "b/2.png")
    scandir = os.scandir

    def refusing(path: Path) -> object:
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(DataError, match=r"b cannot be read: Permission denied"):
        find_pictures(tmp_path)


def test_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert find_pictures(tmp_path / "nothing") == ([], {}, [])
