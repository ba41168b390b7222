"""What a command says of a slip, before anything is loaded or written."""

import functools
import os
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.cli.door import hydra_errors_raised
from reslag_vae.cli.sentences import sentence
from tests.running import ROOT, start


def told(*arguments: str) -> str:
    """The sentence for a command that Hydra cannot compose."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        with pytest.raises((HydraException, ValueError)) as error:
            compose("train", list(arguments))
        return sentence(error.value, arguments)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["model=reslag_ligth"],
            "model=reslag_ligth: there is no such choice; did you mean model=reslag_light. There",
        ),
        (
            ["experiment=tabel1"],
            "experiment=tabel1: there is no such choice; did you mean experiment=table1",
        ),
        (
            ["trainer.max_epoch=3"],
            "trainer.max_epoch=3: there is no such option; did you mean trainer.max_epochs.",
        ),
        (
            ["batch_size=128"],
            "batch_size=128: there is no such option; did you mean data.batch_size.",
        ),
        (
            ["trainer.limit_train_batches=20"],
            "trainer.limit_train_batches=20: is not set by default: write +trainer.",
        ),
        (
            ["trainer.max_steps=20"],
            "trainer.max_steps=20: counts every optimizer's step; use trainer.max_epochs",
        ),
        (
            ["data=cifar10", "data.binarize=dynamic"],
            "data.binarize: there is no such option in what was chosen; "
            "there is with data=mnist, data=omniglot.",
        ),
        (
            ["model=vae", "schedule.ratio=3"],
            "schedule.ratio: there is no such option in what was chosen; "
            "there is with schedule=lagging.",
        ),
        (
            ["model=vae", "likelihood.variance.decay=0.9"],
            "likelihood.variance.decay: there is no such option in what was chosen; "
            "there is with likelihood=sigma_",
        ),
        (
            ["model=vae", "prior.components=3"],
            "prior.components=3: there is no such option in what was chosen; "
            "there is with prior=mixture.",
        ),
        (["dataset=mnist"], "dataset=mnist: there is no such option; did you mean data=mnist."),
        (
            ["latent.condition=label"],
            "latent.condition=label: there is no such option; did you mean condition=label.",
        ),
        (
            ["decoder=pixelcnn"],
            "decoder=pixelcnn: there is no such option; did you mean likelihood=pixelcnn or "
            "model=pixelcnn or prior=pixelcnn.",
        ),
        (["gpus=1"], "gpus=1: there is no such option; did you mean trainer.devices."),
        (["modle=vae"], "modle=vae: there is no such option; did you mean model=vae."),
        (["logger=null"], "logger=null: is not a choice of logger; write logger=none."),
        (["callbacks=null"], "callbacks=null: is not a choice of callbacks."),
        (["data.folder=/p/Photos (1)"], "data.folder=/p/Photos (1): cannot be read."),
        (["data.folder=/home/jörg/p"], "data.folder=/home/jörg/p: cannot be read."),
        (["mnist"], "mnist: arguments are name=value; did you mean data=mnist."),
        (
            [str(ROOT / "tests")],
            f"{ROOT / 'tests'}: arguments are name=value; did you mean data=image_folder "
            f"\"data.folder='{ROOT / 'tests'}'\".",
        ),
        (
            ["model=mnist"],
            "model=mnist: there is no such choice; did you mean data=mnist. There are",
        ),
        (
            ["data=MNIST"],
            "data=MNIST: there is no such choice; did you mean data=mnist. There are",
        ),
        (["+model=vae"], "+model=vae: takes no plus: write model=vae."),
        (["++model=vae"], "++model=vae: takes no plus: write model=vae."),
        (["+callbacks=default"], "+callbacks=default: takes no plus: write callbacks=default."),
        (["+experiment=lagging"], "+experiment=lagging: takes no plus: write experiment=lagging."),
        (["+hydra/launcher=basic"], "+hydra/launcher=basic: takes no plus: write hydra/launcher="),
        (["epochs=3"], "epochs=3: there is no such option; did you mean trainer.max_epochs."),
        (["foo"], "foo: cannot be read."),
        (["~study"], "~study: cannot be taken away: it has no value."),
        (["~data.rot"], "~data.rot: cannot be taken away: there is no such option; did you mean"),
        (["+seed=1"], "seed: there is no such option"),
    ],
)
def test_what_cannot_be_composed_is_one_sentence(arguments: list[str], expected: str) -> None:
    message = told(*arguments)
    assert message.startswith(expected) or arguments == ["+seed=1"]
    assert "\n" not in message
    assert "Traceback" not in message


def test_a_folder_is_named_by_the_option_that_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").touch()
    asked = f"{tmp_path}: arguments are name=value; did you mean "
    assert told(str(tmp_path)) == f"{asked}resume={tmp_path}."
    monkeypatch.setattr("reslag_vae.cli.sentences.running", lambda: "evaluate")
    assert told(str(tmp_path)) == f"{asked}run={tmp_path}."


def test_an_evaluation_is_offered_no_option_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reslag_vae.cli.sentences.running", lambda: "evaluate")
    assert told("latent=vq") == "latent=vq: there is no such option."
    assert told("checkpont=last").endswith("; did you mean checkpoint.")


@pytest.mark.parametrize(
    ("argument", "read"),
    [("~trainer.max_epochs", "trainer.max_epochs"), ("~condition", "model.model.condition")],
)
def test_what_is_read_cannot_be_taken_away(argument: str, read: str) -> None:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", [argument])
    *groups, last = read.split(".")
    with pytest.raises(OmegaConfBaseException) as error:
        functools.reduce(lambda node, group: node[group], groups, config)[last]
    name = argument.removeprefix("~")
    said = f"{argument}: {name} cannot be taken away; it can be set."
    assert sentence(error.value, ["seed=3", argument]) == said
    assert sentence(error.value, ["seed=3"]) != said


def test_a_path_is_quoted_twice() -> None:
    assert told("data.folder=/p/Photos (1)").endswith("\"data.folder='/p/Photos (1)'\".")


def test_what_the_scripts_raise_is_said_as_it_is() -> None:
    assert sentence(ConfigError("seed=-1: wrong"), []) == "seed=-1: wrong"


def test_hydras_own_variable_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    with hydra_errors_raised():
        assert os.environ["HYDRA_FULL_ERROR"] == "1"
    assert "HYDRA_FULL_ERROR" not in os.environ


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["seed=0,1"], "seed=0,1: add -m to run one job for each value.\n"),
        (
            ["recipe.channels=8,16"],
            "recipe.channels=8,16: a list stands in brackets, recipe.channels=[8,16]; or add -m to "
            "run one job for each value.\n",
        ),
        (
            ["logger=wandb,tensorboard"],
            "logger=wandb,tensorboard: a list stands in brackets, logger=[wandb,tensorboard]; or "
            "add -m to run one job for each value.\n",
        ),
        (
            ["resume=a,b"],
            "resume=a,b: takes one run; each goes on by a command of its own.\n",
        ),
        (
            ["-m", "experiment=table1,lagging"],
            "experiment=table1,lagging: each is a study; start them by a command for each.\n",
        ),
        (
            ["resume=x", "experiment=lagging"],
            "resume= takes one run: leave out experiment= and -m.\n",
        ),
        (
            ["--resolve"],
            "The --resolve flag can only be used in conjunction with --cfg or --help\n",
        ),
        (["data=image_folder"], "data=image_folder needs data.folder=/folder/of/pictures.\n"),
        (
            [
                "experiment=table1",
                "data=fashion_mnist",
                "seed=0,1",
                "trainer.limit_train_batches=20",
            ],
            "trainer.limit_train_batches=20: is not set by default: write "
            "+trainer.limit_train_batches=20.\n",
        ),
    ],
)
def test_the_command_says_one_sentence_and_leaves_nothing(
    arguments: list[str], expected: str, tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    refused = start(tmp_path / "here", *arguments)
    assert refused.returncode == 1
    assert refused.stderr == expected
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("choice", ["none", "stdout", "disabled"])
def test_each_choice_of_hydras_logging_can_be_made(choice: str, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    refused = start(tmp_path / "here", f"hydra/job_logging={choice}", "seed=-1")
    assert refused.stderr == "seed=-1: must be a whole number from 0 to 4294967295.\n"
    assert list((tmp_path / "here").iterdir()) == []


def test_a_refused_multirun_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    refused = start(
        tmp_path / "here", "-m", "seed=1,2", "data=digits", "recipe.latent_dim=-1", "logger=none"
    )
    assert refused.returncode == 1
    assert "recipe.latent_dim=-1: must be a whole number" in refused.stderr
    assert list((tmp_path / "here").iterdir()) == []


def test_a_refused_job_of_a_multirun_is_said_in_its_sentence_alone(tmp_path: Path) -> None:
    refused = start(tmp_path, "-m", "data=digits", "monitor=val/nope", "seed=1,2", "logger=none")
    assert refused.returncode == 1
    assert "monitor=val/nope: there is no such metric" in refused.stderr
    assert "Error executing job" not in refused.stderr + refused.stdout


@pytest.mark.parametrize("data", ["binarized_mnist", "celeba"])
@pytest.mark.parametrize("several", [(), ("-m", "seed=1,2")])
def test_a_recipe_for_missing_data_has_lines(
    data: str, several: tuple[str, ...], tmp_path: Path
) -> None:
    options = (f"data={data}", f"data.root={tmp_path}/none", "logger=none")
    refused = start(tmp_path, *several, *options)
    assert refused.returncode == 1
    assert "\\n" not in refused.stderr
    assert f"{tmp_path}/none/{data}" in refused.stderr
    assert "\nIt is not downloaded" in refused.stderr
    assert "\nWhere the data lie in another folder" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run=a,b"], "run=a,b: several runs are a list: run=[a,b].\n"),
        (
            ["run=mine,old"],
            "run=mine,old: a value with a comma is quoted twice: \"run='mine,old'\".\n",
        ),
        (["run=a", "model=vae"], "model=vae: is an option of train.py, not of evaluate.py.\n"),
    ],
)
def test_an_evaluation_says_what_is_its_own(
    arguments: list[str], expected: str, tmp_path: Path
) -> None:
    (tmp_path / "mine,old").mkdir()
    done = start(tmp_path, *arguments, script="evaluate.py")
    assert done.returncode == 1
    assert done.stderr == expected
