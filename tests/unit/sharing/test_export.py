"""A model without its run, and back."""

import ast
import json
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file

import reslag_vae
from reslag_vae._runtime.errors import ConfigError
from reslag_vae._runtime.escape import markdown
from reslag_vae.models import Condition
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.exported import DECODER_FILE, ENCODER_FILE, FILES
from reslag_vae.runs.folder import SAMPLERS_FILE
from reslag_vae.sharing.card import Facts, model_card
from reslag_vae.sharing.command import main
from reslag_vae.sharing.export import Choices, export
from reslag_vae.sharing.licences import check_licence
from reslag_vae.sharing.push import main as push_main
from reslag_vae.variants import ResLagLightVAE
from tests.running import BARE

USUAL = set(FILES) - {ENCODER_FILE, DECODER_FILE, SAMPLERS_FILE}


@pytest.fixture(scope="module")
def run(train: Any, compose: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    train(
        compose(*BARE, "model=reslag_light", "recipe.residual=true", "trainer.max_epochs=2"), folder
    )
    return folder


def facts(**known: Any) -> Facts:
    """What is known of a model of which little is known."""
    nothing: dict[str, Any] = {
        "title": "x",
        "variant": "x",
        "objective": {},
        "result": {},
        "evaluation": {},
        "epoch": 1,
        "updates": None,
        "folder": "out",
        "image_shape": (1, 28, 28),
        "latent_dim": 2,
        "has_mean": True,
    }
    return Facts(**(nothing | known))


def head_of(text: str) -> dict[str, Any]:
    """What hubs read of a card."""
    head: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return head


@pytest.mark.parametrize("which", ["best", "last"])
def test_the_model_comes_back_bitwise(which: str, run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "out", which)
    assert {path.name for path in (tmp_path / "out").iterdir()} == USUAL
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
    head = head_of(text)
    assert head["tags"] == ["variational-autoencoder", "pytorch", "reslag_light"]
    assert head["metrics"] == ["rec", "kl", "elbo", "bits_per_dim", "sigma2"]
    assert not head.keys() & {"license", "datasets"}
    assert text.endswith("## Licence\n\nnot stated\n")
    assert f"on {result['images']['train']} images of digits, as 1 x 28 x 28 numbers" in text
    assert "- seed: 0" in text
    assert "- epoch: 2 of 2 that were run" in text


def test_the_card_shows_reconstructions_of_the_examples_and_samples(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = {}

    def image_grid(rows: list[tuple[str, torch.Tensor]], title: str) -> str:
        drawn[title.partition(":")[0]] = rows
        return title

    monkeypatch.setattr("reslag_vae.sharing.card_pictures.image_grid", image_grid)
    monkeypatch.setattr("reslag_vae.sharing.card_pictures.png", str.encode)
    export(run, tmp_path / "out")
    model = reslag_vae.load(run)
    (_, originals), (_, reconstructions) = drawn["reconstructions"]
    with Image.open(run / "examples.png") as strip:
        assert strip.size == (8 * 28, 28)
        pixels = torch.frombuffer(bytearray(strip.tobytes()), dtype=torch.uint8)
    assert torch.equal(originals[3, 0], pixels.view(28, 8, 28)[:, 3] / 255)
    assert torch.equal(reconstructions, model.reconstruct(originals))
    assert drawn["prior samples"][0][1].shape == (16, 1, 28, 28)
    text = (tmp_path / "out" / "README.md").read_text()
    for name in ("reconstructions", "samples"):
        assert f"]({name}.png)" in text
        assert (tmp_path / "out" / f"{name}.png").read_text().endswith(", epoch 2")


def test_validation_images_are_left_out_if_that_is_asked_for(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "with")
    assert "are in examples.png and reconstructions.png" in (
        (tmp_path / "with" / "README.md").read_text()
    )
    (tmp_path / "with" / "model.safetensors").unlink()  # as if it had been interrupted
    export(run, tmp_path / "with", choices=Choices(examples=False))
    names = {path.name for path in (tmp_path / "with").iterdir()}
    assert names == USUAL - {"examples.png", "reconstructions.png"}
    text = (tmp_path / "with" / "README.md").read_text()
    assert "No image of the data is in these files." in text
    assert "examples.png" not in text
    assert "reconstructions.png" not in text


def test_example_pictures_of_another_size_are_damaged(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    Image.new("L", (20, 28)).save(tmp_path / "run" / "examples.png")
    with pytest.raises(RunError, match=r"examples\.png is damaged: it is of 20 x 28 pixels"):
        export(tmp_path / "run", tmp_path / "out")
    (tmp_path / "run" / "examples.png").write_bytes(b"no picture")
    with pytest.raises(RunError, match=r"examples\.png is damaged"):
        export(tmp_path / "run", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("licence", "head"),
    [
        ("MIT", {"license": "mit"}),
        ("LicenseRef-mine", {"license": "other", "license_name": "licenseref-mine"}),
    ],
)
def test_the_licence_is_told(licence: str, head: dict[str, str]) -> None:
    text = model_card(facts(licence=check_licence(licence)))
    assert head.items() <= head_of(text).items()
    assert text.endswith(f"## Licence\n\n{licence}\n")


@pytest.mark.parametrize(
    ("condition", "line"),
    [
        (Condition(["chaton é", "汉\n```"]), "model.given('chaton é')"),
        (Condition(["汉", "b"], "attributes"), "model.given({'汉': True})"),
    ],
)
def test_names_stand_on_a_card_as_they_are(condition: Condition, line: str) -> None:
    text = model_card(facts(folder="modèle\u202e", condition=condition))
    assert line in text
    assert r"load('modèle\u202e')" in text  # what turns the direction of writing stays escaped


@pytest.mark.parametrize("licence", ["", "my own", "a\nb", "-mit", "m" * 65])
def test_a_licence_that_is_no_name_is_refused(licence: str) -> None:
    with pytest.raises(ConfigError, match=r"--license .* is wanted"):
        check_licence(licence)


def test_an_evaluation_of_the_same_weights_is_on_the_card(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    evaluation = {
        "epoch": 2,
        "settings": {"split": "test", "samples": 64, "seed": 5},
        "commit": "abc",
        "verdict": {"sentence": "COLLAPSED: all is lost"},
        "numbers": {
            "reconstruction": {
                "rec": {"value": 15.25, "error": 0.5},
                "ssim": {"value": 0.75},
                "psnr": {"value": None},
            }
        },
    }
    (tmp_path / "run" / "evaluation.json").write_text(json.dumps(evaluation))
    export(tmp_path / "run", tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    assert "Evaluated: split test, samples 64, seed 5, commit abc." in text
    assert "| reconstruction: squared error | 15.25 ± 0.5 | sum over an image; less" in text
    assert "| reconstruction: SSIM | 0.75 |" in text
    assert "PSNR" not in text
    assert "- Latent: COLLAPSED: all is lost." in text
    assert "do not build on these codes" in text

    (tmp_path / "run" / "evaluation.json").write_text(json.dumps(evaluation | {"epoch": 1}))
    export(tmp_path / "run", tmp_path / "other")
    assert "Evaluated" not in (tmp_path / "other" / "README.md").read_text()

    evaluation["verdict"] = {"sentence": 5}
    (tmp_path / "run" / "evaluation.json").write_text(json.dumps(evaluation))
    with pytest.raises(RunError, match=r"evaluation\.json is damaged: its verdict"):
        export(tmp_path / "run", tmp_path / "third")


@pytest.mark.parametrize(
    ("metrics", "updates", "said"),
    [
        ({"active_units": 0.0, "kl": 0.01}, 600, "COLLAPSED: the code says nothing of the image"),
        ({"active_units": 2.0, "kl": 0.04}, 600, "COLLAPSED: the code says nothing of the"),
        ({"active_units": 2.0, "kl": 3.0}, 600, "no collapse (2 of 2 units active, KL 3 nats);"),
        ({"active_units": 2.0, "kl": 3.0}, 20, "nats), after no more than 20 updates; test"),
        ({"codes_used": 4.0, "perplexity": 3.5}, None, "4 codes used, perplexity 3.5; test split"),
        ({"rec": 1.0}, 600, ""),
    ],
)
def test_the_card_says_whether_the_latent_has_collapsed(
    metrics: dict[str, float], updates: int | None, said: str
) -> None:
    text = model_card(facts(result={"val": {}, "test": metrics}, updates=updates))
    assert ("- Latent: " in text) == bool(said)
    assert said in text
    assert ("do not build on these codes" in text) == ("COLLAPSED" in said)


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
    text = model_card(facts(title=name, variant=name, objective={name: name}, result=result))
    known = result | {"data": "x", "device": "x", "versions": {"x": "x"}}
    plain = model_card(facts(title="name", objective={"name": "name"}, result=known))
    assert [line[:2] for line in text.splitlines()] == [line[:2] for line in plain.splitlines()]
    assert text.count(markdown(name)) == 9
    assert head_of(text)["tags"][-1] == name
    text = text.partition("\n---\n")[2]
    for mark in ("<", "](", "`c`", "**d", "\n# Another"):
        assert mark not in text.replace(markdown(name), "")


@pytest.mark.parametrize(
    "folder", ['exo"); import os; os.system("x', "a'b", "a\\", "a\n```\nb", "käse"]
)
def test_the_snippet_in_the_card_loads_that_folder_and_does_nothing_else(folder: str) -> None:
    [code] = re.findall(r"```python\n(.*?)\n```\n", model_card(facts(folder=folder)), re.DOTALL)
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
        ({"images": [1]}, "images"),
    ],
)
def test_a_result_of_wrong_types_is_named(wrong: dict[str, Any], word: str) -> None:
    with pytest.raises(RunError, match=f"metrics.json is damaged: its {word} "):
        model_card(facts(result={"val": {}, "test": {}} | wrong))


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


def test_what_is_no_run_has_no_choice_of_checkpoints(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "out")
    for path in (tmp_path / "out", run / "checkpoints" / "best.ckpt"):
        for which in ("best", "last"):
            with pytest.raises(ValueError, match=rf"^which='{which}': .* leave which out\.$"):
                reslag_vae.load(path, which)


def test_a_file_of_an_export_is_answered_by_its_folder(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "out")
    for name in ("model.safetensors", "config.json"):
        with pytest.raises(RunError, match=rf"{name} is a file of an export: give its folder, "):
            reslag_vae.load(tmp_path / "out" / name)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("pictures.json", ("{", "["), r"pictures\.json is damaged"),
        ("config.yaml", ("batch_size: 128", "batch_size: null"), r"batch_size is no whole number"),
    ],
)
def test_a_damaged_run_is_refused_before_anything_is_written(
    file: str, change: tuple[str, str], message: str, run: Path, tmp_path: Path
) -> None:
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / file
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change))
    with pytest.raises(RunError, match=message):
        export(tmp_path / "run", tmp_path / "out")
    assert not (tmp_path / "out").exists()


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
        "sys.argv",
        ["export", str(run), str(tmp_path / "out"), "--checkpoint=last", "--license=my-own"],
    )
    main()
    said = capsys.readouterr()
    assert said.out.strip() == str(tmp_path / "out")
    assert said.err == (
        "--license my-own: no name that the hub knows.\n"
        "examples.png and reconstructions.png: images of the validation data; --no-examples leaves "
        "them out.\n"
    )
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
    assert {path.name for path in out.iterdir()} == USUAL
    reslag_vae.load(out)
    with pytest.raises(RunError, match="is there already"):
        export(run, out)


@pytest.mark.parametrize(
    ("command", "work"),
    [(main, "command.export_run"), (push_main, "push.push")],
    ids=["export", "push"],
)
def test_ctrl_c_ends_the_command_with_a_word(
    command: Callable[[], None],
    work: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(f"reslag_vae.sharing.{work}", interrupted)
    monkeypatch.setattr("sys.argv", ["reslag", "run", "user/name"])
    with pytest.raises(SystemExit) as ended:
        command()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "Stopped.\n"
