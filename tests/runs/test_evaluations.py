"""Finished runs on the digits, evaluated from their folders."""

import json
import math
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from reslag_vae._runtime.errors import ConfigError, UserError
from reslag_vae.data import DataError
from reslag_vae.evaluation import main
from reslag_vae.evaluation.compare import by_title
from reslag_vae.evaluation.folders import folders_to_evaluate, named_folders
from reslag_vae.evaluation.main import evaluate, read_data
from reslag_vae.evaluation.metrics import classifier
from reslag_vae.evaluation.record import EvaluatedRun
from reslag_vae.latents import MixturePrior
from reslag_vae.latents.verdicts import reservation
from reslag_vae.models import Condition
from reslag_vae.options import EVALUATE
from reslag_vae.runs import tracking
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import read_metrics
from reslag_vae.runs.formats import read_arrays
from reslag_vae.runs.load import Run, read_run
from reslag_vae.training.build import build_system
from reslag_vae.training.schedules import Joint
from tests.running import EIGHT, ROOT, TINY, start

pytestmark = pytest.mark.usefixtures("drawn_digits")

WATCHED = (
    *TINY,
    *EIGHT,
    "trainer.max_epochs=2",
    "+trainer.limit_train_batches=2",
    "callbacks.progress=null",
    "callbacks.images=null",
    "callbacks.curves=null",
)
SMALL = (*WATCHED, "callbacks.collapse=null")
MODELS = {"lagging": "schedule.epochs=1", "beta_vae": "objective.beta=3", "autoencoder": "seed=0"}
CODES_OF_NUMBERS = ("posterior=fsq", "network.code_dim=3", "posterior.levels=[4,4,4]")
PICTURES = {
    "reconstructions",
    "samples",
    "interpolation",
    "interpolation_square",
    "power_spectra",
    "posterior",
    "tsne",
    "rate_distortion",
    "traversals",
    "extremes",
    "translations",
}


@pytest.fixture(autouse=True)
def quick_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "STEPS", 10)


@pytest.fixture
def options(compose: Any) -> Callable[..., DictConfig]:
    """The configuration of `python evaluate.py <overrides>`, small."""
    return partial(compose, "samples=4", "tsne=60", "device=cpu", "out=unused", script="evaluate")


@pytest.fixture(scope="module")
def trained(
    drawn_digits: None, train: Any, compose: Any, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with a run of each of three variants, without W&B."""
    folder = tmp_path_factory.mktemp("runs")
    for model, option in MODELS.items():
        train(
            compose(f"model={model}", option, "logger=none", f"data.root={folder}", *SMALL),
            folder / model,
        )
    return folder


@pytest.fixture
def copies(trained: Path, tmp_path: Path) -> Path:
    """The runs in a folder of the test's own."""
    shutil.copytree(trained, tmp_path / "runs")
    return tmp_path / "runs"


def test_a_verdict_says_after_how_few_updates_it_is(trained: Path) -> None:
    run = read_run(trained / "lagging", "last")
    epochs = read_metrics(trained / "lagging")
    images = epochs[0]["images_seen"]
    assert images * len(epochs) == epochs[-1]["images_seen"]
    assert run.updates == len(epochs) * math.ceil(images / run.config.data.batch_size)
    assert reservation(run.updates) == f", after no more than {run.updates} updates"
    assert run._replace(history=[]).updates is None


def result(folder: Path, name: str = "evaluation.json") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / name).read_text())
    return content


def test_every_number_and_picture_of_several_runs(copies: Path, options: Any, capsys: Any) -> None:
    before = {path: path.read_bytes() for path in copies.rglob("*") if path.is_file()}
    results = evaluate(options(f"run='{copies}/*'", f"out={copies}/comparison"))
    printed = capsys.readouterr().out
    # Codes of every run would fill the memory.
    assert not any({"codes", "train_codes"} & vars(own.subject).keys() for own in results)
    for model in MODELS:
        evaluation, trained = (
            result(copies / model),
            json.loads((copies / model / "metrics.json").read_text()),
        )
        assert evaluation["model"] == model
        mmd = evaluation["numbers"]["thesis"]["mmd"]
        # The choice that the user has made, not the objective's class.
        without = f"objective={trained['objective']} has none"
        assert mmd["value"] is not None or mmd["protocol"] == without
        assert evaluation["epoch"] == trained["epoch"]
        assert evaluation["settings"]["samples"] == 4
        assert "classifiers" not in evaluation["settings"]
        assert evaluation["numbers"]["samples"]["classifier_frechet_prior"]["error"] > 0
        assert evaluation["seconds"] > 0
        assert evaluation["peak_memory_mb"] > 50
        numbers = evaluation["numbers"]
        for group, named in numbers.items():
            for name, number in named.items():
                assert number["protocol"], f"{group} {name}"
                assert number["value"] is None or abs(number["value"]) < 1e9
        # Nothing is trained again: the numbers are those that training ended with.
        assert numbers["thesis"]["rec"]["value"] == pytest.approx(trained["test"]["rec"], rel=1e-5)
        assert numbers["thesis"]["total"]["value"] == pytest.approx(
            trained["test"]["loss"], rel=1e-5
        )
        assert numbers["yardstick"]["sigma2"]["value"] == pytest.approx(
            trained["yardstick_sigma2"], rel=1e-5
        )
        of_images = read_arrays(copies / model / "evaluation.npz")
        assert all(len(values) == 180 for values in of_images.values())
        power = {name: of_images[f"upper_power_{name}"].mean() for name in ("originals", "samples")}
        assert power["samples"] / power["originals"] == pytest.approx(
            numbers["sharpness"]["sharpness_samples"]["value"], rel=1e-5
        )
        assert len(evaluation["spectra"]["reconstructions"]) == 4
        if model == "autoencoder":
            assert evaluation["verdict"] is None
            assert all(name.startswith("upper_power_") for name in of_images)
        else:
            assert evaluation["verdict"]["sentence"] in printed
            updates = read_run(copies / model).updates
            assert evaluation["verdict"]["sentence"].endswith(f"no more than {updates} updates")
            assert len(evaluation["verdict"]["dimensions"]) == 5
            own = numbers["likelihood"]["importance_weighted_bound"]["value"]
            assert of_images["importance_weighted_bound"].mean() == pytest.approx(own)
            assert "test split, 180 images" in evaluation["verdict"]["protocol"]
            assert numbers["yardstick"]["elbo"]["value"] == pytest.approx(
                trained["test"]["elbo"], rel=1e-5
            )
        pictures = {path.stem for path in (copies / model / "figures" / "test").iterdir()}
        assert pictures == PICTURES - {"rate_distortion"} | (
            {"sigma2"} if model == "lagging" else set()
        )
    assert {path: path.read_bytes() for path in before} == before, "what training left is as it was"
    assert not list(copies.glob("*/wandb")), "a run without W&B gets none"

    compared = copies / "comparison" / "digits"
    shared = PICTURES - {"traversals", "extremes", "translations"} | {"sigma2"}
    assert {path.name for path in compared.iterdir()} == {f"{name}.png" for name in shared} | {
        "comparison.md"
    }
    table = (compared / "comparison.md").read_text()
    assert all(f"| {title} |" in table for title in ("AutoEncoder", "beta-VAE", "Lagging VAE"))
    assert "- Lat (beta-VAE): nats per latent dimension; test split" in table
    assert "- Lat (Lagging VAE): nats per image; test split" in table
    assert "without a density" not in table
    # The column is the same under every likelihood; which it was stands beneath.
    assert "| IW bound |" in table
    assert re.search(r"- IW bound \(.*Lagging VAE.*\): nats.*; sigma2 is the model's own", table)
    for path in (*compared.glob("*.png"), *(copies / "lagging" / "figures" / "test").iterdir()):
        with Image.open(path) as picture:
            assert picture.width > 400


def test_runs_that_are_evaluated_can_be_left_out(copies: Path, options: Any) -> None:
    epoch = json.loads((copies / "lagging" / "metrics.json").read_text())["epoch"]
    (copies / "lagging" / "evaluation.json").write_text(json.dumps({"epoch": epoch}))
    for name in ("interrupted", "longer"):
        shutil.copytree(copies / "lagging", copies / name)
    (copies / "interrupted" / "metrics.json").unlink()
    # Evaluated, and then trained on.
    (copies / "longer" / "evaluation.json").write_text(json.dumps({"epoch": epoch + 1}))
    asked = options(
        f"run='{copies}/*'", "skip_evaluated=true", "figures=false", f"out={copies}/comparison"
    )
    done = evaluate(asked)
    assert [own.run.folder.name for own in done] == sorted(
        (MODELS.keys() | {"longer"}) - {"lagging"}
    )
    assert result(copies / "lagging") == {"epoch": epoch}
    assert evaluate(asked) == []
    # An evaluation of another split is another one.
    assert (
        len(folders_to_evaluate(options(f"run='{copies}/*'", "skip_evaluated=true", "split=val")))
        == len(MODELS) + 1
    )


def test_one_run_without_pictures_on_the_validation_split(copies: Path, options: Any) -> None:
    evaluate(options(f"run={copies}/lagging", "split=val", "figures=false", "checkpoint=last"))
    evaluation = result(copies / "lagging", "evaluation_val_last.json")
    assert not (copies / "lagging" / "evaluation.json").exists()
    trained = json.loads((copies / "lagging" / "metrics.json").read_text())
    assert (
        f"val split, {trained['images']['val']} images"
        in evaluation["numbers"]["thesis"]["rec"]["protocol"]
    )
    assert evaluation["checkpoint"] == "last"
    assert not (copies / "lagging" / "figures" / "test").exists()
    assert not list((copies / "lagging" / "figures").glob("val*"))


def test_several_classifiers_give_their_mean_and_standard_deviation(
    copies: Path, options: Any, capsys: Any
) -> None:
    runs, out = f"run=[{copies / 'lagging'},{copies / 'autoencoder'}]", f"out={copies}/comparison"
    evaluate(options(runs, out, "classifiers=2", "figures=false"))
    number = result(copies / "lagging")["numbers"]["samples"]["classifier_frechet_prior"]
    comparison = (copies / "comparison" / "digits" / "comparison.md").read_text()

    assert number["error"] > 0
    assert "2 classifiers, seeds 0 to 1" in number["protocol"]
    assert result(copies / "lagging")["settings"]["classifiers"] == 2
    assert f"{number['value']:.5g} ± {number['error']:.2g}" in comparison
    assert "Of a distance by several classifiers ± is the standard deviation" in comparison
    assert "± of numbers by 2 classifiers: their standard deviation" in capsys.readouterr().out


def test_only_the_checkpoint_and_the_configuration_are_needed(
    copies: Path, options: Any, caplog: Any
) -> None:
    """A run that has not finished is evaluated, too, with a word."""
    for name in ("metrics.csv", "metrics.json", "train.log"):
        (copies / "lagging" / name).unlink(missing_ok=True)
    evaluate(options(f"run={copies}/lagging", "tsne=0"))
    assert "lagging has not finished training" in caplog.text
    assert result(copies / "lagging")["epoch"] >= 1
    assert not (copies / "lagging" / "figures" / "test" / "sigma2.png").exists()
    assert (copies / "lagging" / "figures" / "test" / "traversals.png").exists()


def test_data_that_changed_since_training_are_refused(
    compose: Any, train: Any, options: Any, tmp_path: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    for number in range(150):
        picture = Image.new("L", (16, 16), number)
        picture.putpixel((number % 16, number // 16), 255)
        picture.save(tmp_path / "pictures" / f"{number}.png")
    data = (
        "data=image_folder",
        f"data.folder={tmp_path / 'pictures'}",
        "data.size=16",
        "data.channels=1",
        "data.val_fraction=0.05",
    )
    small = [option for option in SMALL if not option.startswith(("data", "recipe.image"))]
    train(
        compose("model=vae", "logger=none", f"data.root={tmp_path}", *data, *small),
        tmp_path / "run",
    )
    (tmp_path / "pictures" / "7.png").unlink()
    with pytest.raises(
        DataError, match=r"run: its data have changed: train had 128 images and has 127 now"
    ):
        evaluate(options(f"run={tmp_path}/run"))


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_measured(
    copies: Path, options: Any
) -> None:
    with pytest.raises(ConfigError, match=r"out=.*cannot be made"):
        evaluate(options(f"run='{copies}/*'", f"out={copies}/lagging/config.yaml/x"))
    assert not (copies / "lagging" / "evaluation.json").exists()


def test_an_option_that_is_not_there_is_refused_also_where_it_is_added(
    trained: Path, options: Any
) -> None:
    with pytest.raises(
        ConfigError, match=r"^sample=16: there is no such option; did you mean samples"
    ):
        evaluate(options(f"run={trained}/lagging", "+sample=16"))
    assert set(options()) == EVALUATE.keys() | {"logger"}


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("file", "spoil"),
    [
        ("checkpoints/best.ckpt", truncate),
        ("checkpoints/best.ckpt", Path.unlink),
        ("checkpoints/best.ckpt", lambda path: path.write_bytes(b"")),
        ("config.yaml", Path.unlink),
        ("config.yaml", lambda path: path.write_text("data: [")),
        ("config.yaml", lambda path: path.write_text("a: 1")),
        ("metrics.csv", lambda path: path.write_text("epoch,val/loss\n1,abc\n")),
        ("metrics.csv", lambda path: path.write_bytes(b"\xff\xfe\x00")),
        ("metrics.csv", lambda path: path.write_text("epoch\n1,2,3\n")),
        ("metrics.csv", lambda path: path.write_text("hello\n")),
        ("metrics.json", lambda path: path.write_text("{")),
        ("metrics.json", lambda path: path.write_text("[1]")),
        ("checkpoints/best.ckpt", lambda path: torch.save({"state_dict": {}}, path)),
    ],
)
def test_a_damaged_folder_is_named_before_any_run_is_evaluated(
    file: str, spoil: Callable[[Path], object], copies: Path, options: Any
) -> None:
    spoil(copies / "lagging" / file)
    with pytest.raises(RunError) as error:
        evaluate(options(f"run=[{copies}/autoencoder,{copies}/lagging]"))
    assert str(copies / "lagging" / file) in str(error.value)
    assert "\n" not in str(error.value)
    assert not (copies / "autoencoder" / "evaluation.json").exists()


def test_a_checkpoint_of_another_run_is_told(copies: Path, options: Any) -> None:
    pictures = copies / "pictures"
    pictures.mkdir()
    for number in range(4):
        picture = Image.new("L", (16, 16), number)
        picture.putpixel((number, 0), 255)
        picture.save(pictures / f"{number}.png")
    config = OmegaConf.load(copies / "lagging" / "config.yaml")
    config.data = {
        "_target_": "reslag_vae.data.ImageFolder",
        "root": str(copies),
        "batch_size": 4,
        "val_fraction": 0.2,
        "seed": 0,
        "folder": str(pictures),
        "size": 16,
    }
    OmegaConf.save(config, copies / "lagging" / "config.yaml")
    with pytest.raises(RunError, match=r"lagging: its model takes images of \(1, 8, 8\)"):
        evaluate(options(f"run={copies}/lagging"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("samples=0", "samples=0: must be a whole number from 1"),
        ("classifiers=0", "classifiers=0: must be a whole number from 1 to 100"),
        ("classifiers=many", "classifiers=many: must be a whole number from 1 to 100"),
        ("samples=2.5", r"samples=2.5: must be a whole number"),
        ("reference=1", "reference=1"),
        ("train_images=true", "train_images=true"),
        ("tsne=-1", "tsne=-1"),
        ("split=train", r"split=train: must be one of test, val"),
        ("checkpoint=first", "checkpoint=first: must be one of best, last"),
        ("figures=some", "figures=some: must be true or false"),
        ("device=abc", "device=abc: "),
        ("device=meta", "device=meta: must be auto, cpu, cuda"),
        ("perceptual=1", "perceptual=1: must be true or false, or one of lpips"),
        ("attributes=null", "attributes=null: must be a list"),
        ("attributes=Smiling", "attributes=Smiling: must be a list"),
        ("run=[]", "^run=.*must be a text .*, or a list"),
        ("run=5", "^run=.*must be a text .*, or a list"),
        ("run=true", "^run=.*must be a text .*, or a list"),
        ("run=[1,2]", "^run=.*must be a text .*, or a list"),
        ("run=''", "^run=.*must be a text .*, or a list"),
    ],
)
def test_options_out_of_range_are_named(
    override: str, message: str, trained: Path, options: Any
) -> None:
    with pytest.raises(ConfigError, match=message):
        evaluate(options(f"run={trained}/lagging", override))


def test_runs_are_named_or_matched_and_each_comes_once(trained: Path) -> None:
    def found(run: str | list[str]) -> list[Path]:
        return named_folders(OmegaConf.create({"run": run}))

    (trained / "no run").mkdir(exist_ok=True)
    every = [trained / model for model in sorted(MODELS)]
    assert found(f"{trained}/*") == every
    assert found([str(every[1]), f"{trained}/*"]) == [every[1], every[0], every[2]]
    with pytest.raises(ConfigError, match=r"run=.*none\*: no folder of a run matches"):
        found(f"{trained}/none*")
    (trained / "a[1]").mkdir(exist_ok=True)
    assert found(f"{trained}/a[1]") == [trained / "a[1]"], "what is there is no pattern"


def test_titles_of_a_comparison_differ(trained: Path) -> None:
    subject: Any = None

    def evaluated(model: str, beta: float | None = None) -> EvaluatedRun:
        run = read_run(trained / model)
        if beta is not None:
            run.objective.beta = beta
        return EvaluatedRun(run, subject, {}, None, None, [])

    group = [
        evaluated("beta_vae", 1.0),
        evaluated("beta_vae", 2.0),
        evaluated("lagging"),
        evaluated("autoencoder"),
    ]
    assert list(by_title(group)) == [
        "beta-VAE, beta 1",
        "beta-VAE, beta 2",
        "Lagging VAE",
        "AutoEncoder",
    ]
    (first, second) = (evaluated("lagging"), evaluated("lagging"))
    assert list(by_title([first, second])) == ["Lagging VAE (1)", "Lagging VAE (2)"]
    second.run.config.seed = 7
    assert list(by_title([first, second])) == ["Lagging VAE, seed 0", "Lagging VAE, seed 7"]
    joint = first._replace(run=first.run._replace(schedule=Joint()))
    assert list(by_title([first, joint])) == ["Lagging VAE, lagging", "Lagging VAE, joint"]
    first.run.model.condition = Condition(["cat", "dog"])
    assert list(by_title([first, second])) == [
        "Lagging VAE, given label",
        "Lagging VAE, given none",
    ]
    first.run.model.condition = None
    joint.run.model.prior = MixturePrior(joint.run.model.latent_dim)
    assert list(by_title([second, joint])) == [
        "Lagging VAE, standard_normal",
        "Lagging VAE, mixture",
    ]
    group = [evaluated("beta_vae", 1.0), evaluated("beta_vae", 2.0), evaluated("beta_vae", 2.0)]
    assert list(by_title(group)) == [
        "beta-VAE, beta 1",
        "beta-VAE, beta 2 (1)",
        "beta-VAE, beta 2 (2)",
    ]


def test_results_go_into_the_runs_own_wandb_run(
    train: Any, compose: Any, options: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    overrides = (
        "model=optimal_sigma",
        "logger.project=mine",
        "logger.group=some",
        f"data.root={tmp_path}",
        *SMALL,
    )
    train(compose(*overrides), tmp_path / "run")
    (first,) = (tmp_path / "run" / "wandb").glob("offline-run-*")
    logged: dict[str, Any] = {}
    original = tracking.add_evaluation

    def record(
        logger: Any, evaluation: str, numbers: dict[str, Any], pictures: dict[str, Path]
    ) -> None:
        original(logger, evaluation, numbers, pictures)
        logged.update(dict(logger.experiment.summary))
        logged["project"], logged["group"] = logger.experiment.project, logger.experiment.group

    monkeypatch.setattr(main, "add_evaluation", record)
    evaluate(options(f"run={tmp_path}/run", "tsne=0"))
    numbers = result(tmp_path / "run")["numbers"]
    assert logged["evaluation/thesis/rec"] == numbers["thesis"]["rec"]["value"]
    assert logged["evaluation/verdict"] == result(tmp_path / "run")["verdict"]["sentence"]
    assert (logged["project"], logged["group"]) == ("mine", "some")
    assert "evaluation/traversals" in logged
    other = set((tmp_path / "run" / "wandb").glob("offline-run-*")) - {first}
    assert len(other) == 1
    assert (
        other.pop().name.split("-")[-1]
        == first.name.split("-")[-1]
        == (tmp_path / "run" / "wandb_id.txt").read_text()
    )
    assert wandb.run is None


@pytest.mark.parametrize(
    "asked", [("perceptual=true", "weights=weights"), ("perceptual=lpips",)], ids=["all", "lpips"]
)
def test_missing_weights_are_a_message_before_anything_is_read(
    asked: tuple[str, ...], options: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_: pytest.fail("downloaded"))
    monkeypatch.setattr(main, "read_run", lambda *_: pytest.fail("read"))
    with pytest.raises(UserError, match=r"alexnet.*is missing\. Get it by hand from https://"):
        evaluate(options("run=anything", *asked))


def test_too_few_images_are_told(compose: Any, train: Any, options: Any, tmp_path: Path) -> None:
    for number in range(24):
        (tmp_path / "pictures").mkdir(exist_ok=True)
        picture = Image.new("L", (16, 16), number * 10)
        picture.putpixel((0, 0), 255)
        picture.save(tmp_path / "pictures" / f"{number}.png")
    data = (
        "data=image_folder",
        f"data.folder={tmp_path / 'pictures'}",
        "data.size=16",
        "data.channels=1",
        "data.val_fraction=0.05",
    )
    small = [option for option in SMALL if not option.startswith(("data", "recipe.image"))]
    train(
        compose("model=vae", "logger=none", f"data.root={tmp_path}", *data, *small),
        tmp_path / "run",
    )
    with pytest.raises(
        DataError, match=r"run: its test split has 2 images; an evaluation takes 10"
    ):
        evaluate(options(f"run={tmp_path}/run"))


def test_a_code_of_one_number_is_evaluated(
    compose: Any, train: Any, options: Any, tmp_path: Path
) -> None:
    overrides = (
        "model=vae",
        "logger=none",
        f"data.root={tmp_path}",
        "network.latent_dim=1",
        *SMALL,
    )
    train(compose(*overrides), tmp_path / "run")
    evaluate(options(f"run={tmp_path}/run"))
    pictures = {path.stem for path in (tmp_path / "run" / "figures" / "test").iterdir()}
    assert pictures == PICTURES - {"posterior", "tsne", "rate_distortion"}


LEARNED = {
    "mixture": (),
    "flow": ("prior.transforms=2", "prior.hidden_features=[8]"),
    "vamp": ("prior.pseudo_inputs=20",),
}


@pytest.mark.parametrize(
    "prior",
    [pytest.param(own, marks=[] if own == "flow" else pytest.mark.slow) for own in LEARNED],
)
def test_a_learned_prior_is_evaluated_and_what_it_has_not_is_left_out(
    prior: str, compose: Any, train: Any, options: Any, tmp_path: Path, capsys: Any
) -> None:
    own = (f"prior={prior}", *LEARNED[prior])
    overrides = ("model=vae", *own, "logger=none", f"data.root={tmp_path}", *SMALL)
    train(compose(*overrides), tmp_path / "run")
    evaluate(options(f"run={tmp_path}/run"))
    evaluation = result(tmp_path / "run")
    trained = json.loads((tmp_path / "run" / "metrics.json").read_text())
    numbers = evaluation["numbers"]
    for name in ("kl", "elbo", "bits_per_dim"):
        value = numbers["yardstick"][name]["value"]
        assert value == pytest.approx(trained["test"][name], rel=1e-5)
    for group in ("likelihood", "latent"):
        assert all(number["value"] is not None for number in numbers[group].values())
    bound = numbers["likelihood"]["importance_weighted_bound"]["value"]
    assert bound >= numbers["likelihood"]["elbo"]["value"]
    assert [own["kl"] for own in evaluation["verdict"]["dimensions"]] == [None] * 5
    assert evaluation["verdict"]["sentence"] in capsys.readouterr().out
    pictures = {path.stem for path in (tmp_path / "run" / "figures" / "test").iterdir()}
    assert pictures == PICTURES - {"rate_distortion"}


@pytest.mark.parametrize(
    "choices",
    [
        ("vq_vae", "posterior.codes=20"),
        pytest.param(("fsq_vae", *CODES_OF_NUMBERS), marks=pytest.mark.slow),
    ],
)
def test_codes_are_evaluated_as_codes(
    choices: tuple[str, ...], compose: Any, train: Any, options: Any, tmp_path: Path, capsys: Any
) -> None:
    model, *more = choices
    small = ("network.channels=[4,4,4]", "network.blocks=[1,1,1]")
    own = (*small, "network.code_dim=2", "logger=none", *more)
    train(compose(f"model={model}", *own, f"data.root={tmp_path}", *WATCHED), tmp_path / "run")
    assert (tmp_path / "run" / "figures" / "code_usage.png").is_file()
    assert not (tmp_path / "run" / "figures" / "kl_per_dimension.png").exists()
    evaluate(options(f"run={tmp_path}/run"))
    evaluation = result(tmp_path / "run")
    latent = evaluation["numbers"]["latent"]
    used, perplexity = latent["codes_used"]["value"], latent["perplexity"]["value"]
    sentence = f"{used} of {latent['codes_used']['unit'].split()[1]} codes used, perplexity"
    assert 1 <= perplexity <= used
    assert sentence in evaluation["verdict"]["sentence"]
    assert evaluation["verdict"]["dimensions"] == []
    assert sentence in " ".join(capsys.readouterr().out.split())
    # What there is of numbers alone
    assert evaluation["numbers"]["reconstruction"]["pca_mse"]["value"] is None
    pictures = {path.stem for path in (tmp_path / "run" / "figures" / "test").iterdir()}
    assert pictures == PICTURES - {"rate_distortion", "traversals"} | {"sigma2"}


@pytest.mark.parametrize(
    "choices", [pytest.param(("posterior.codes=20",), marks=pytest.mark.slow), CODES_OF_NUMBERS]
)
def test_two_levels_of_codes_are_evaluated_each(
    choices: tuple[str, ...], compose: Any, train: Any, options: Any, tmp_path: Path, capsys: Any
) -> None:
    small = ("network.channels=[4,4,4]", "network.blocks=[1,1,1]", "network.code_dim=2")
    own = (*small, "logger=none", *choices)
    train(compose("model=vq_vae_2", *own, f"data.root={tmp_path}", *WATCHED), tmp_path / "run")
    assert (tmp_path / "run" / "figures" / "code_usage.png").is_file()
    header = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0].split(",")
    evaluate(options(f"run={tmp_path}/run"))
    evaluation = result(tmp_path / "run")
    latent, said = evaluation["numbers"]["latent"], " ".join(capsys.readouterr().out.split())
    assert not {"codes_used", "perplexity"} & latent.keys()
    for level in ("top", "bottom"):
        used, perplexity = (latent[f"{name}_{level}"] for name in ("codes_used", "perplexity"))
        count = int(used["unit"].removeprefix("of "))
        sentence = f"({used['value']} of {count} codes used, perplexity"
        assert 1 <= perplexity["value"] <= used["value"] <= count
        assert f"{level}: " in evaluation["verdict"]["sentence"]
        assert sentence in evaluation["verdict"]["sentence"]
        assert sentence in said
        assert {f"val/codes_used_{level}", f"val/perplexity_{level}"} <= set(header)
    assert evaluation["verdict"]["dimensions"] == []
    pictures = {path.stem for path in (tmp_path / "run" / "figures" / "test").iterdir()}
    assert pictures == PICTURES - {"rate_distortion", "traversals"} | {"sigma2"}


def test_runs_of_the_same_data_share_them(copies: Path, options: Any) -> None:
    read = [read_run(copies / model) for model in MODELS]
    first, second, third = read_data(read, options(), ())
    assert first is second is third
    read[1].config.data.seed = 9
    assert read_data(read, options(), ())[1] is not first


@pytest.mark.parametrize(
    ("model", "objective", "title"),
    [
        ("vae", "elbo", "VAE"),
        ("vae", "sigma_data", "VAE, sigma_data"),
        ("lagging", "sigma_data", "Lagging VAE"),
        ("reslag_light", "sigma_optimal", "ResLag VAE (light), sigma_optimal"),
        ("lagging", "beta", "Lagging VAE, beta"),
        ("beta_vae", "beta", "beta-VAE"),
    ],
)
def test_a_title_names_the_objective_where_it_is_not_the_thesis(
    model: str, objective: str, title: str, compose: Any
) -> None:
    config = compose(f"model={model}", f"objective={objective}", "data=digits")
    system = build_system(config)
    parts = (type(system), system.model, system.objective, system.schedule)
    assert Run(Path(), config, *parts, "best", 1, [], {}).title == title


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "This command needs run="),
        (["run=nothing"], "nothing/config.yaml is not there: nothing is not the folder of a run."),
    ],
)
def test_the_script_tells_what_is_wrong_without_a_stack_of_calls(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    done = start(tmp_path, *arguments, script="evaluate.py")
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_script_evaluates_and_leaves_nothing_but_in_the_run(
    copies: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    code = (
        "import runpy, sys, warnings; from reslag_vae.evaluation.metrics import classifier; "
        "classifier.STEPS = 5; warnings.simplefilter('error'); "
        "warnings.simplefilter('ignore', FutureWarning); "
        f"sys.argv = ['evaluate.py', 'run={copies}/lagging', 'samples=2', 'tsne=0', 'device=cpu']; "
        f"runpy.run_path({str(ROOT / 'evaluate.py')!r}, run_name='__main__')"
    )
    (tmp_path / "quick.py").write_text(code)
    done = start(tmp_path / "elsewhere", script=str(tmp_path / "quick.py"))
    assert done.returncode == 0, done.stderr
    assert "log-likelihood, at least" in done.stdout
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_ctrl_c_ends_it_without_a_stack_of_calls(tmp_path: Path) -> None:
    code = (
        "import runpy, signal, sys; from reslag_vae.evaluation import main; "
        "main.evaluate = lambda config: signal.raise_signal(signal.SIGINT); "
        "sys.argv = ['evaluate.py', 'run=any']; "
        f"runpy.run_path({str(ROOT / 'evaluate.py')!r}, run_name='__main__')"
    )
    (tmp_path / "stopped.py").write_text(code)
    done = start(tmp_path, script=str(tmp_path / "stopped.py"))
    assert done.returncode == 130
    assert done.stderr.strip().splitlines()[-1] == "Stopped."
    assert "Traceback" not in done.stderr


def test_a_metrics_file_comes_back_without_its_empty_cells(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,val/loss,lr\n1,2.5,\n2,nan,0.1\n")
    rows = read_metrics(tmp_path)
    assert rows[0] == {"epoch": 1.0, "val/loss": 2.5}
    assert rows[1]["lr"] == 0.1
    assert rows[1]["val/loss"] != rows[1]["val/loss"]
