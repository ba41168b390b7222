"""What the package as a wheel holds."""

import zipfile
from configparser import ConfigParser

import pytest

from tests.building import ROOT, build_wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this checkout."""
    return zipfile.ZipFile(build_wheel(tmp_path_factory.mktemp("wheel")))


def test_every_file_of_the_configuration_and_of_the_package_is_there(
    wheel: zipfile.ZipFile,
) -> None:
    configuration = {path.relative_to(ROOT) for path in (ROOT / "conf").rglob("*.yaml")}
    assert len(configuration) > 30
    wanted = {f"reslag_vae/{path}" for path in configuration}
    for folder in ("reslag_vae", "hydra_plugins"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                wanted.add(path.relative_to(ROOT).as_posix())
    assert {"reslag_vae/py.typed", "reslag_vae/studies/report/page.html"} <= wanted
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == wanted


def test_the_command_is_declared(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    entries = ConfigParser()
    entries.read_string(wheel.read(name).decode())
    assert dict(entries["console_scripts"]) == {"reslag": "reslag_vae.cli:main"}
