"""A model without its run, and back."""

import ast
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import reslag_vae
from reslag_vae._runtime.escape import markdown
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.export import export, main, model_card
from reslag_vae.runs.folder import TRAVELLING
from reslag_vae.variants import ResLagLightVAE
from tests.running import BARE


@pytest.fixture(scope="module")
def run(train: Any, compose: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    train(
        compose(*BARE, "model=reslag_light", "recipe.residual=true", "trainer.max_epochs=2"), folder
    )
    return folder


@pytest.mark.parametrize("which", ["best", "last"])
def test_the_model_comes_back_bitwise(which: str, run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "out", which)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "model.safetensors",
        "config.json",
        "README.md",
        *TRAVELLING,
    }
    theirs, ours = reslag_vae.load(run, which), reslag_vae.load(tmp_path / "out")
    assert type(ours) is type(theirs)
    assert not ours.training
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert all(
        torch.equal(value, ours.state_dict()[name]) for name, value in theirs.state_dict().items()
    )
    images = torch.rand(3, 1, 28, 28)
    assert torch.equal(ours.reconstruct(images), theirs.reconstruct(images))


@torch.no_grad()
def test_samples_of_a_prior_made_of_the_encoder_come_back_bitwise(
    train: Any, compose: Any, tmp_path: Path
) -> None:
    options = ("model=vae", "prior=vamp", "prior.pseudo_inputs=10", "trainer.max_epochs=1")
    train(compose(*BARE, *options), tmp_path / "run")
    export(tmp_path / "run", tmp_path / "out")
    both = [reslag_vae.load(tmp_path / name) for name in ("run", "out")]
    samples = [model.sample(5, torch.Generator().manual_seed(1)) for model in both]
    assert torch.equal(*samples)
    assert not torch.equal(samples[0], both[0].sample(5, torch.Generator().manual_seed(2)))


def test_the_card_says_what_it_is_and_how_good(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "out")
    text, result = (
        (tmp_path / "out" / "README.md").read_text(),
        json.loads((run / "metrics.json").read_text()),
    )
    assert text.startswith("---\nlibrary_name: reslag_vae\n")
    assert f"# {markdown(ResLagLightVAE.title)} on digits" in text
    assert f"| rec | {result['val']['rec']:.5g} | {result['test']['rec']:.5g} |" in text
    assert "reslag_vae.load('out')" in text
    assert f"- epoch: {result['epoch']}" in text
    assert f"- torch: {torch.__version__}" in text


EVIL = (
    "<img src=x onerror=alert(1)>",
    "[a](javascript:b)",
    "digits\n\n# Another heading\n---\n",
    "a|b `c` **d** <!-- e",
)


@pytest.mark.parametrize("name", EVIL)
def test_names_in_the_card_are_text(name: str) -> None:
    """Each as it is, in the heading, in the list of facts and in that of the objective."""
    result = {"data": name, "device": name, "versions": {name: name}, "val": {}, "test": {}}
    text = model_card(name, {name: name}, result, 1, "out")
    plain = model_card(
        "name",
        {"name": "name"},
        result | {"data": "x", "device": "x", "versions": {"x": "x"}},
        1,
        "out",
    )
    assert [line[:2] for line in text.splitlines()] == [line[:2] for line in plain.splitlines()]
    assert text.count(markdown(name)) == 8
    for mark in ("<", "](", "`c`", "**d", "\n# Another"):
        assert mark not in text.replace(markdown(name), "")


@pytest.mark.parametrize(
    "folder", ['exo"); import os; os.system("x', "a'b", "a\\", "a\n```\nb", "käse"]
)
def test_the_snippet_in_the_card_loads_that_folder_and_does_nothing_else(folder: str) -> None:
    [code] = re.findall(r"```python\n(.*?)\n```\n", model_card("x", {}, {}, 1, folder), re.DOTALL)
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    assert [ast.unparse(call.func) for call in calls] == [
        "reslag_vae.load", "model.encode", "model.decode", "model.reconstruct", "model.sample"
    ]  # fmt: skip
    assert ast.literal_eval(calls[0].args[0]) == folder


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"versions": 5}, "versions"),
        ({"versions": None}, "versions"),
        ({"test": None}, "test"),
        ({"val": [1]}, "val"),
        ({"test": {"rec": "1.0"}}, "test.rec"),
        ({"val": {"kl": [1]}}, "val.kl"),
        ({"val": {"kl": True}}, "val.kl"),
    ],
)
def test_a_result_of_wrong_types_is_named(wrong: dict[str, Any], word: str) -> None:
    with pytest.raises(RunError, match=f"metrics.json is damaged: its {word} "):
        model_card("x", {}, {"val": {}, "test": {}} | wrong, 1, "out")


def test_weights_that_were_not_measured_have_no_numbers(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    result = json.loads((run / "metrics.json").read_text())
    (tmp_path / "run" / "metrics.json").write_text(json.dumps(result | {"epoch": 1}))
    export(tmp_path / "run", tmp_path / "out", "last")
    text = (tmp_path / "out" / "README.md").read_text()
    assert "These weights were not measured." in text
    assert "- epoch: 2" in text
    assert "| rec |" not in text
    assert " on digits" in text


def test_an_unfinished_run_has_a_card_without_numbers(run: Path, tmp_path: Path) -> None:
    (run / "metrics.json").rename(tmp_path / "metrics.json")
    try:
        export(run, tmp_path / "out")
    finally:
        (tmp_path / "metrics.json").rename(run / "metrics.json")
    assert "were not measured" in (tmp_path / "out" / "README.md").read_text()


def test_a_folder_that_holds_something_is_left_alone(run: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="not an empty folder"):
        export(run, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_damaged_and_foreign_exports_are_named(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path)
    weights, model = tmp_path / "model.safetensors", tmp_path / "config.json"
    whole = weights.read_bytes()
    state = {
        name: value.clone() for name, value in load_file(weights).items()
    }  # it maps the file into memory
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match=r"model\.safetensors is damaged"):
        reslag_vae.load(tmp_path)
    state.popitem()
    save_file(state, weights)
    with pytest.raises(RunError, match=r"model\.safetensors is damaged, or of another version"):
        reslag_vae.load(tmp_path)
    weights.write_bytes(whole)
    model.write_text(
        json.dumps(
            {
                "schema": 2,
                "model": {
                    "_target_": "reslag_vae.variants.VAE",
                    "model": {"_target_": "os.mkdir", "path": str(tmp_path / "made")},
                    "objective": {},
                },
            }
        )
    )
    with pytest.raises(RunError, match=r"it would build os\.mkdir"):
        reslag_vae.load(tmp_path)
    assert not (tmp_path / "made").exists()
    model.write_text("{")
    with pytest.raises(RunError, match=r"config\.json is damaged"):
        reslag_vae.load(tmp_path)


def test_from_the_command_line(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "sys.argv", ["export", str(run), str(tmp_path / "out"), "--checkpoint", "last"]
    )
    main()
    assert capsys.readouterr().out.strip() == str(tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").exists()
    monkeypatch.setattr("sys.argv", ["export", str(tmp_path), str(tmp_path / "other")])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    assert "is not the folder of a run" in capsys.readouterr().err


def test_an_interrupted_export_is_finished_by_the_same_command(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(run, out)
    (out / "model.safetensors").unlink()
    (out / ".model.safetensors.abcd1234.unfinished").write_bytes(b"half")
    with pytest.raises(RunError, match="is an export that was interrupted"):
        reslag_vae.load(out)
    export(run, out)
    assert {path.name for path in out.iterdir()} == {
        "model.safetensors",
        "config.json",
        "README.md",
        *TRAVELLING,
    }
    reslag_vae.load(out)
    with pytest.raises(RunError, match="is there already"):
        export(run, out)
