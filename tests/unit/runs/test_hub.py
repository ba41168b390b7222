"""Exports on the hub of Hugging Face: addresses, downloads, the cache, and what may go wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import reslag_vae
from reslag_vae._runtime.errors import ConfigError, UserError
from reslag_vae.apply.command import main
from reslag_vae.networks import Network
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.hub import HubAddress, is_repository, parsed
from tests.hub import OWNER, Hub, Repository
from tests.systems import make_model

MakeNetwork = Callable[..., Network]
OFFLINE = "huggingface_hub.constants.HF_HUB_OFFLINE"


@pytest.fixture
def export(make_network: MakeNetwork, tmp_path: Path) -> dict[str, bytes]:
    """The files of a small model."""
    make_model(make_network()).save(tmp_path / "export")
    return {path.name: path.read_bytes() for path in (tmp_path / "export").iterdir()}


@pytest.fixture
def repository(hub: Hub, export: dict[str, bytes]) -> Repository:
    """The repository user/name, with the export and a file of another kind."""
    hub.repositories["user/name"] = own = Repository()
    own.commit(export | {"notes.bin": b"large"}, "export")
    return own


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("hf://user/name", HubAddress("user/name")),
        ("hf://user/name@v1.0", HubAddress("user/name", "v1.0")),
        ("hf://User-1/my_model.v2@refs/pr/1", HubAddress("User-1/my_model.v2", "refs/pr/1")),
    ],
)
def test_an_address_is_read_as_it_is_written(text: str, address: HubAddress) -> None:
    assert parsed(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    [
        "hf://",
        "hf://name",
        "hf://user/",
        "hf://user/name/more",
        "hf://user/name@",
        "hf://user/name@../x",
        "hf://user/na me",
        "hf://../name",
        "hf://user/a--b",
        "hf://user/name.git",
        "hf://user/" + "n" * 96,
        "hf://user/name\n",
        "hf://user/nam\x1b[2J",
    ],
)
def test_a_malformed_address_is_one_sentence(text: str) -> None:
    with pytest.raises(ConfigError, match="hf://user/name or hf://user/name@revision is wanted"):
        reslag_vae.load(text)
    assert not is_repository(text.removeprefix("hf://").partition("@")[0]) or "@" in text


def test_a_model_on_the_hub_is_loaded(
    repository: Repository, hub: Hub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = (reslag_vae.load(own) for own in ("hf://user/name", tmp_path / "export"))
    images = torch.rand(2, 1, 8, 8)
    assert torch.equal(ours.reconstruct(images), theirs.reconstruct(images))
    assert sorted(hub.asked_for()) == ["config.json", "model.safetensors"]
    assert capfd.readouterr() == ("", "")  # no bars where there is no terminal


def test_a_revision_is_that_commit_or_name(
    repository: Repository, export: dict[str, bytes], tmp_path: Path
) -> None:
    repository.refs["v1"] = first = repository.refs["main"]
    repository.commit({}, "removed")
    for revision in ("v1", first):
        assert reslag_vae.load(f"hf://user/name@{revision}").image_shape == (1, 8, 8)
    with pytest.raises(RunError, match="hf://user/name: is not an export of this package"):
        reslag_vae.load("hf://user/name")


def test_the_cache_is_enough_offline(
    repository: Repository, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    reslag_vae.load("hf://user/name")
    before = len(hub.requests)
    monkeypatch.setattr(OFFLINE, True)
    assert reslag_vae.load("hf://user/name").image_shape == (1, 8, 8)
    assert len(hub.requests) == before
    with pytest.raises(RunError, match=r"^hf://user/other: offline mode is on .*not in the cache"):
        reslag_vae.load("hf://user/other")


def test_the_cache_is_enough_where_the_network_is_down(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    reslag_vae.load("hf://user/name")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert reslag_vae.load("hf://user/name").image_shape == (1, 8, 8)
    with pytest.raises(RunError, match=r"^hf://user/other: the hub cannot be reached"):
        reslag_vae.load("hf://user/other")


def test_what_the_hub_refuses_is_one_sentence(repository: Repository, hub: Hub) -> None:
    with pytest.raises(RunError, match=r"^hf://user/nobody: there is no such repository, or"):
        reslag_vae.load("hf://user/nobody")
    with pytest.raises(RunError, match=r"^hf://user/name@v9: there is no such revision of it"):
        reslag_vae.load("hf://user/name@v9")
    repository.gated = True
    with pytest.raises(RunError, match=r"^hf://user/name: is gated: ask for access"):
        reslag_vae.load("hf://user/name")


def test_a_private_repository_is_read_with_the_user_s_own_login(
    repository: Repository, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.private = True
    with pytest.raises(RunError, match="private and not yours: log in with `hf auth login`"):
        reslag_vae.load("hf://user/name")
    monkeypatch.setenv("HF_TOKEN", "of_last_year")
    with pytest.raises(RunError, match="the hub does not know this login"):
        reslag_vae.load("hf://user/name")
    monkeypatch.setenv("HF_TOKEN", OWNER)
    assert reslag_vae.load("hf://user/name").image_shape == (1, 8, 8)


@pytest.mark.parametrize("config", [None, {"model_type": "bert"}, {"model": "bert"}])
def test_another_s_large_weights_are_not_downloaded(
    config: dict[str, str] | None, repository: Repository, hub: Hub
) -> None:
    files = {"model.safetensors": b"seven gigabytes"}
    if config is not None:
        files["config.json"] = json.dumps(config).encode()
    repository.commit(files, "another model")
    with pytest.raises(RunError, match=r"^hf://user/name: is not an export of this package"):
        reslag_vae.load("hf://user/name")
    assert "model.safetensors" not in hub.asked_for()


def test_nothing_of_a_repository_is_run(repository: Repository, tmp_path: Path) -> None:
    content = json.loads(repository.files["config.json"])
    content["model"]["model"] = {"_target_": "os.mkdir", "path": str(tmp_path / "made")}
    files = repository.files | {"config.json": json.dumps(content).encode()}
    repository.commit(files, "evil")
    with pytest.raises(RunError, match=r"it would build os\.mkdir"):
        reslag_vae.load("hf://user/name")
    assert not (tmp_path / "made").exists()


def test_without_huggingface_hub_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reslag_vae._runtime.packages.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"hf://user/name needs huggingface_hub: pip install"):
        reslag_vae.load("hf://user/name")


def test_apply_takes_an_address(
    repository: Repository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "a.png")
    codes = tmp_path / "codes.npz"
    words = ["apply", "hf://user/name", str(tmp_path / "a.png"), "--encode", str(codes)]
    monkeypatch.setattr("sys.argv", words)
    main()
    with np.load(codes) as table:
        assert table["z"].shape == (1, 3)
    capsys.readouterr()
    monkeypatch.setattr("sys.argv", [words[0], "hf://user/no", *words[2:], "--overwrite"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("hf://user/no: there is no such repository")
    monkeypatch.setattr("sys.argv", [words[0], "hf://user", *words[2:]])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "hf://user/name or hf://user/name@revision is wanted" in capsys.readouterr().err
