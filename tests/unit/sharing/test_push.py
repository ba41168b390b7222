"""Uploads to the hub of Hugging Face: what is sent, what is said, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import reslag_vae
from reslag_vae.networks import Network
from reslag_vae.runs.exported import DECODER_FILE, ENCODER_FILE, FILES
from reslag_vae.runs.folder import SAMPLERS_FILE
from reslag_vae.sharing import push
from tests.hub import OWNER, READER, Hub, Repository
from tests.systems import make_model

MakeNetwork = Callable[..., Network]
USUAL = set(FILES) - {ENCODER_FILE, DECODER_FILE, SAMPLERS_FILE}
Push = Callable[..., tuple[int, str, str]]


@pytest.fixture
def export(make_network: MakeNetwork, tmp_path: Path) -> Path:
    """A small model's files, with one that is none of an export's."""
    folder = tmp_path / "export"
    make_model(make_network()).save(folder)
    (folder / "diary.txt").write_text("mine")
    return folder


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Push:
    """Run the command, and return its exit code and what it says on both streams."""

    def run(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["push", *map(str, words)])
        code = 0
        try:
            push.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def login(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", OWNER)


def test_modules_are_trusted_before_or_after_what_is_named() -> None:
    for words in (["--trust", "mymodels", "run", "me/it"], ["run", "me/it", "--trust", "mymodels"]):
        options = push.parser().parse_args([*words, "--trust", "others"])
        assert (options.model, options.trust) == (Path("run"), ["mymodels", "others"])


@pytest.mark.usefixtures("login")
def test_an_export_is_uploaded_private_and_loads_from_there(
    hub: Hub, export: Path, pushed: Push
) -> None:
    code, out, err = pushed(export, "user/name", "--message", "my model")
    assert (code, err) == (0, "")
    repository = hub.repositories["user/name"]
    assert repository.private
    assert repository.messages == ["first", "my model"]
    names = {"README.md", "config.json", "model.safetensors"}
    assert repository.files.keys() == names
    for name in names:
        assert f"{len(repository.files[name]):,} bytes  {name}\n" in out
    total = sum(map(len, repository.files.values()))
    assert f"{total:,} bytes  to user/name, private\n" in out
    assert out.endswith(f"\n{hub.url}/user/name\n")
    assert b"\nmodel = reslag_vae.load('hf://user/name')\n" in repository.files["README.md"]
    assert "load('export')" in (export / "README.md").read_text()
    ours, theirs = reslag_vae.load("hf://user/name"), reslag_vae.load(export)
    images = torch.rand(2, 1, 8, 8)
    assert torch.equal(ours.encode(images), theirs.encode(images))


@pytest.mark.usefixtures("login")
def test_a_run_is_exported_first_and_files_of_before_are_replaced(
    hub: Hub, first_stage: Callable[..., Path], pushed: Push
) -> None:
    run = first_stage("model=vae")
    code, out, err = pushed(run, "user/name", "--public", "--license", "mit")
    assert code == 0
    assert "images of the validation data" in err
    repository = hub.repositories["user/name"]
    assert not repository.private
    assert repository.files.keys() == USUAL
    assert b"\nlicense: mit\n" in repository.files["README.md"]
    assert ", public\n" in out

    repository.commit(repository.files | {"notes.txt": b"theirs"}, "by hand")
    code, _, err = pushed(run, "user/name", "--public", "--no-examples")
    assert (code, err) == (0, "")
    shown = {"examples.png", "reconstructions.png"}
    assert repository.files.keys() == USUAL - shown | {"notes.txt"}


@pytest.mark.usefixtures("login")
def test_nothing_is_shown_to_everyone_that_was_not_meant_for_them(
    hub: Hub, export: Path, pushed: Push
) -> None:
    hub.repositories["user/open"], hub.repositories["user/shut"] = (
        Repository(private=False),
        Repository(private=True),
    )
    assert pushed(export, "user/open") == (
        1, "", "user/open: is there already, and public: add --public.\n"
    )  # fmt: skip
    code, _, err = pushed(export, "user/shut", "--public")
    assert code == 1
    assert err.startswith("user/shut: is there already, and private: leave out --public")
    assert not any(own.files for own in hub.repositories.values())
    assert pushed(export, "user/shut")[0] == 0


def test_who_is_not_logged_in_is_told_how(hub: Hub, export: Path, pushed: Push) -> None:
    assert pushed(export, "user/name") == (
        1, "", "user/name: nobody is logged in to the hub: log in with `hf auth login`.\n"
    )  # fmt: skip
    assert hub.requests == []


def test_what_the_hub_refuses_is_one_sentence(
    hub: Hub, export: Path, pushed: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", READER)
    no_rights = "user/name: this login has no permission for it.\n"
    assert pushed(export, "user/name")[2] == no_rights
    hub.repositories["user/name"] = Repository(private=True)
    assert pushed(export, "user/name")[2] == no_rights
    monkeypatch.setenv("HF_TOKEN", "of_last_year")
    assert pushed(export, "user/name")[2].startswith("user/name: the hub does not know this login")
    monkeypatch.setenv("HF_TOKEN", OWNER)
    card = export / "README.md"
    card.write_text(f"---\nlicense: gpl-9\n---\n{card.read_text()}")
    code, _, err = pushed(export, "user/name")
    assert code == 1
    assert err == ('user/name: Invalid metadata in README.md. - "license" must be one of.\n')
    assert not hub.repositories["user/name"].files


@pytest.mark.usefixtures("login")
def test_without_network_nothing_is_exported(
    hub: Hub, export: Path, pushed: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert pushed(export, "user/name") == (
        1, "", "user/name: offline mode is on (HF_HUB_OFFLINE).\n"
    )  # fmt: skip
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    code, _, err = pushed(export, "user/name")
    assert code == 1
    assert err.startswith("user/name: the hub cannot be reached (ConnectError: ")
    assert hub.requests == []


@pytest.mark.usefixtures("login")
@pytest.mark.parametrize("options", [("--no-examples",), ("--license", "mit")])
def test_options_of_an_export_are_refused_where_there_is_one(
    options: tuple[str, ...], export: Path, pushed: Push
) -> None:
    code, _, err = pushed(export, "user/name", *options)
    assert code == 1
    assert (
        err == f"{options[0]}: is for a run, and {export} is an export: give it to reslag export.\n"
    )


@pytest.mark.usefixtures("login")
def test_a_folder_of_something_else_is_refused(tmp_path: Path, pushed: Push) -> None:
    code, _, err = pushed(tmp_path, "user/name")
    assert code == 1
    assert "is not the folder of a run" in err
    code, _, err = pushed(tmp_path / "gone", "user/name")
    assert (code, err) == (1, f"{tmp_path / 'gone'}: there is no such run or export.\n")


@pytest.mark.parametrize("name", ["name", "user/name/x", "user/", "user/na me", "hf://user"])
def test_a_name_that_is_none_is_refused(name: str, pushed: Push) -> None:
    code, _, err = pushed("export", name)
    assert code == 2
    assert err.endswith(f"{name}: user/name is wanted\n")


def test_what_exports_a_run_is_asked_for_by_name(
    tmp_path: Path, pushed: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "missing", lambda names: ["lightning"])
    code, _, err = pushed(tmp_path, "user/name")
    assert code == 1
    assert "exporting a run needs lightning: pip install 'reslag_vae[train]'" in err


def test_the_command_has_no_option_for_a_token(pushed: Push) -> None:
    code, out, _ = pushed("--help")
    assert code == 0
    assert "token" not in out
