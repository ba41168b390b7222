"""One official file, fetched once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep

import pytest
from torchvision.datasets import utils

from reslag_vae.data import DataError
from reslag_vae.data.download import fetch


def test_of_several_at_once_one_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = []

    def download_url(url: str, folder: str, filename: str, md5: str) -> None:
        fetched.append(url)
        sleep(0.1)
        Path(folder, filename).write_text("content")

    monkeypatch.setattr(utils, "download_url", download_url)
    target = tmp_path / "new" / "file.gz"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: fetch(target, ["http://a"], "0"), range(8)))
    assert fetched == ["http://a"]
    assert [path.name for path in target.parent.iterdir()] == ["file.gz"]
    assert target.read_text() == "content"


def test_every_address_is_tried_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download_url(url: str, folder: str, filename: str, md5: str) -> None:
        raise RuntimeError(f"{url} is down")

    monkeypatch.setattr(utils, "download_url", download_url)
    with pytest.raises(
        DataError,
        match=r"\(http://a is down; http://b is down\)(.|\n)*by hand from http://a or http://b",
    ):
        fetch(tmp_path / "file.gz", ["http://a", "http://b"], "0")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be downloaded"):
        fetch(tmp_path / "file" / "target.gz", ["http://a"], "0")
