"""Zip archives that are not trusted."""

import zipfile
import zlib
from pathlib import Path

import pytest

from reslag_vae.data import DataError
from reslag_vae.data.archives import ZipArchive


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "own.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("folder")
        archive.writestr("folder/one.txt", "one" * 100)
        archive.writestr("two.txt", "two")
    return tmp_path / "own.zip"


def test_files_are_read_one_by_one_and_none_is_written(path: Path) -> None:
    before = sorted(path.parent.iterdir())
    with ZipArchive(path, 1000) as archive:
        assert archive.files == [path / "folder" / "one.txt", path / "two.txt"]
        assert archive.read(path / "two.txt") == b"two"
        assert archive.read(path / "folder" / "one.txt") == b"one" * 100
    assert sorted(path.parent.iterdir()) == before


def test_the_state_of_a_file_changes_with_it(path: Path) -> None:
    with ZipArchive(path, 1000) as archive:
        states = {name: archive.state(path / name) for name in ("folder/one.txt", "two.txt")}
    assert states["two.txt"] != states["folder/one.txt"]
    with zipfile.ZipFile(path, "w") as changed:
        changed.writestr("two.txt", "owt")
    with ZipArchive(path, 1000) as archive:
        assert archive.state(path / "two.txt") != states["two.txt"]


@pytest.mark.parametrize(
    "name", ["../two.txt", "folder/../../two.txt", "/etc/two.txt", "..\\two.txt", ".."]
)
def test_a_name_that_leads_out_is_refused(name: str, path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, "two")
    with pytest.raises(DataError, match=r"own\.zip is damaged: it names a file outside of it"):
        ZipArchive(path, 1000)


def test_a_file_that_is_too_large_is_refused_before_it_is_unpacked(path: Path) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(10_000_000))
    with pytest.raises(DataError, match="bomb would take 10,000,000 bytes, more than 1,000"):
        ZipArchive(path, 1000)


def test_no_more_is_unpacked_than_is_promised(path: Path) -> None:
    """The archive says that a file of a million bytes has ten."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(1_000_000))
    size = (1_000_000).to_bytes(4, "little")
    assert path.read_bytes().count(size) == 2
    path.write_bytes(path.read_bytes().replace(size, (10).to_bytes(4, "little")))
    with (
        ZipArchive(path, 1000) as archive,
        pytest.raises((zipfile.BadZipFile, zlib.error, EOFError)),
    ):
        archive.read(path / "bomb")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("two.txt", "other")
    with pytest.raises(DataError, match=r"it has two\.txt twice"):
        ZipArchive(path, 1000)


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\3\4" + bytes(100)])
def test_what_is_no_archive_is_named(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"own\.zip is damaged: File is not a zip file"):
        ZipArchive(path, 1000)


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="it is no regular file"):
        ZipArchive(tmp_path, 1000)
