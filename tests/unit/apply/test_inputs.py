"""Which files are taken, and by which names."""

import os
from pathlib import Path

import pytest
from PIL import Image

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.apply.inputs import find_inputs


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), 100).save(path)
    return path


def test_names_are_those_within_the_folder(tmp_path: Path) -> None:
    for name in ("b/same.png", "a/same.png", "top.png", "a/deep/käse 日本.png"):
        picture(tmp_path / name)
    (tmp_path / "note.txt").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = find_inputs([tmp_path])
    assert found.names == ["a/deep/käse 日本.png", "a/same.png", "b/same.png", "top.png"]
    assert found.files == [tmp_path / name for name in found.names]
    assert any(".txt 1" in note for note in found.notes)
    assert any("loop" in note for note in found.notes)


def test_a_file_is_taken_once_whatever_its_suffix(tmp_path: Path) -> None:
    inside, beside = picture(tmp_path / "in" / "a.png"), picture(tmp_path / "b.png")
    odd = beside.rename(tmp_path / "b.data")
    found = find_inputs([odd, tmp_path / "in", inside, odd])
    assert found.names == ["b.data", "in/a.png"]


def test_one_file_is_named_by_itself(tmp_path: Path) -> None:
    assert find_inputs([picture(tmp_path / "a.png")]).names == ["a.png"]


def test_several_folders_keep_their_names(tmp_path: Path) -> None:
    picture(tmp_path / "odd" / "a.png"), picture(tmp_path / "usual" / "a.png")
    found = find_inputs([tmp_path / "usual", tmp_path / "odd"])
    assert found.names == ["usual/a.png", "odd/a.png"]


def test_no_name_leads_out_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(tmp_path / "photos" / "a.png"), picture(tmp_path / "work" / "in" / "a.png")
    monkeypatch.chdir(tmp_path / "work")
    for beside in (Path("../photos"), Path("../photos/a.png"), Path("../work/../photos")):
        found = find_inputs([beside, Path("in")])
        assert found.names == ["photos/a.png", "work/in/a.png"]
        assert found.base == tmp_path
    monkeypatch.chdir(tmp_path / "photos")
    assert find_inputs([Path(".."), Path("../work/in")]).base == tmp_path.parent


def test_places_begin_with_the_folder_that_names_begin_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = picture(tmp_path / "cats" / "old" / "a.png").parent.parent
    for given in ([folder], [folder, folder / "old"]):
        (place,) = find_inputs(given).places
        assert place.endswith("cats/old/a.png")
    assert find_inputs([folder / "old" / "a.png"]).places == ["old/a.png"]
    monkeypatch.chdir(folder)
    assert find_inputs([Path()]).places == ["cats/old/a.png"]


def test_names_that_are_no_utf8_are_escaped(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/k\xe4se.png"
    os.rename(picture(tmp_path / "x.png"), path)
    assert find_inputs([tmp_path]).names == [r"k\udce4se.png"]


def test_a_folder_that_this_command_has_written_is_left_out(tmp_path: Path) -> None:
    picture(tmp_path / "a.png"), picture(tmp_path / "out" / "a.png")
    (tmp_path / "out" / "applied.json").write_text("{}")
    assert find_inputs([tmp_path]).names == ["a.png"]


def test_no_picture_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("x")
    with pytest.raises(ConfigError, match=r"There is no picture in .*\.txt 1"):
        find_inputs([tmp_path])
    with pytest.raises(ConfigError, match="gone: there is no such file or folder"):
        find_inputs([tmp_path / "gone"])
