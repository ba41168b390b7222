"""Tests of what is installed."""

from pathlib import Path

import pytest

from reslag_vae._runtime.packages import is_installed, missing


def test_a_folder_of_the_name_is_no_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a_package").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    import a_package  # what Python makes of it

    assert a_package.__file__ is None
    assert not is_installed("a_package")
    (tmp_path / "a_real_package").mkdir()
    (tmp_path / "a_real_package" / "__init__.py").touch()
    (tmp_path / "a_module.py").touch()
    assert missing(("a_real_package", "a_module", "a_package", "not_there")) == [
        "a_package",
        "not_there",
    ]
