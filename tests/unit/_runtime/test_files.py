import os
from pathlib import Path

import pytest

from reslag_vae._runtime.files import opened_atomically, remove_unfinished, write_atomically


@pytest.mark.parametrize("content", ["käse\n", b"\x00\xff\n", ""])
def test_content_is_written_as_given(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "new" / "folders" / "file"
    write_atomically(path, content)

    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_names_that_are_no_utf8_are_written_as_escapes(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", os.fsdecode(b"k\xe4se"))
    assert (tmp_path / "file").read_text() == r"k\udce4se"


@pytest.mark.parametrize("umask", [0o077, 0o002, 0o022])
def test_the_umask_is_respected(tmp_path: Path, umask: int) -> None:
    """By new files, by those that take the place of others, and by folders."""
    path = tmp_path / "new" / "file"
    before = os.umask(umask)
    try:
        write_atomically(path, "old")
        path.chmod(0o600)
        write_atomically(path, "new")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask
    assert path.parent.stat().st_mode & 0o777 == 0o777 & ~umask


def test_an_existing_file_is_replaced(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", "a longer text")
    write_atomically(tmp_path / "file", "short")
    assert (tmp_path / "file").read_text() == "short"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "file"
    write_atomically(path, "old")
    monkeypatch.setattr(os, step, fail)

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_what_a_kill_leaves_goes_and_nothing_else(tmp_path: Path) -> None:
    kept = {
        "my_thesis.unfinished",
        ".metrics.json.unfinished",
        ".other.txt.abcd1234.unfinished",
        "best.unfinished",
    }
    left = {".metrics.json.abcd1234.unfinished", ".a.png.abcd_234.unfinished"}
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / ".metrics.json.abcd1234.unfinished").touch()
    (tmp_path / ".metrics.json.folder12.unfinished").mkdir()
    for name in kept | left:
        (tmp_path / name).touch()

    remove_unfinished(tmp_path, ["metrics.json", "*.png"])
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == kept
    assert (tmp_path / "below" / ".metrics.json.abcd1234.unfinished").exists()


def test_what_another_process_is_writing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def meanwhile(descriptor: int) -> None:
        remove_unfinished(tmp_path, ["metrics.json"])
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", meanwhile)
    write_atomically(tmp_path / "metrics.json", "whole")
    assert (tmp_path / "metrics.json").read_text() == "whole"


def test_folders_that_were_made_for_a_file_go_with_it(tmp_path: Path) -> None:
    def fail(path: Path, other: Path | None = None) -> None:
        with opened_atomically(path):
            if other is not None:
                other.touch()
            raise ZeroDivisionError

    (tmp_path / "there").mkdir()
    files = [tmp_path / own / "a.txt" for own in ("there", "deep/er", "others/new")]
    for path, other in zip(files, (None, None, tmp_path / "others" / "b.txt"), strict=True):
        with pytest.raises(ZeroDivisionError):
            fail(path, other)
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == ["others", "others/b.txt", "there"]
