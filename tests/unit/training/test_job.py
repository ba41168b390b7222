"""Which configuration a job runs with."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from reslag_vae._runtime import jobs
from reslag_vae._runtime.errors import ConfigError
from reslag_vae._runtime.invocation import configuration_folder
from reslag_vae._runtime.jobs import job_name
from reslag_vae.options import check
from reslag_vae.runs.config import read_config
from reslag_vae.runs.errors import RunError
from reslag_vae.training import job as job_module
from reslag_vae.training.resume import resumed
from reslag_vae.training.stored_config import begun_config, save_config
from reslag_vae.training.study_job import check_same_settings

Compose = Callable[..., DictConfig]


@pytest.fixture
def folder(compose: Compose, tmp_path: Path) -> Path:
    """Of a run of the lagging VAE on digits."""
    save_config(compose("model=lagging", "data=digits", "logger=none", "seed=3"), tmp_path / "run")
    return tmp_path / "run"


def test_a_saved_configuration_has_no_references_left(folder: Path) -> None:
    text = (folder / "config.yaml").read_text()
    assert "${" not in text
    config = OmegaConf.create(text)
    assert config.network.latent_dim == config.model.model.network.latent_dim == 5
    assert config.seed == config.data.seed == config.callbacks.seed.seed == 3
    assert [path.name for path in folder.iterdir()] == ["config.yaml"]


def test_the_data_are_found_from_any_working_directory(
    compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pictures").mkdir()
    monkeypatch.chdir(tmp_path)
    for folder, expected in (("pictures", str(tmp_path / "pictures")), ("in_root", "in_root")):
        config = compose(
            "model=vae", "data=image_folder", f"data.folder={folder}", "data.root=sets"
        )
        save_config(config, tmp_path / "run")
        saved = OmegaConf.load(tmp_path / "run" / "config.yaml")
        assert (saved.data.root, saved.data.folder) == (str(tmp_path / "sets"), expected)


def test_a_resumed_run_keeps_its_configuration(folder: Path) -> None:
    config = resumed(folder, [f"resume={folder}"])
    assert OmegaConf.to_container(config) == read_config(folder)


def test_where_and_how_long_a_resumed_run_runs_may_change(folder: Path) -> None:
    before = resumed(folder, [])
    config = resumed(folder, [f"resume={folder}", "trainer.max_epochs=99", "data.root=/elsewhere"])
    assert (config.trainer.max_epochs, config.data.root) == (99, "/elsewhere")
    config.trainer.max_epochs, config.data.root = before.trainer.max_epochs, before.data.root
    assert config == before


@pytest.mark.parametrize(
    "override", ["seed=4", "model=vae", "data.batch_size=64", "objective=elbo", "data=mnist"]
)
def test_what_would_make_it_another_run_is_refused(override: str, folder: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot be set beside resume=.*may change") as error:
        resumed(folder, [f"resume={folder}", override, "trainer.devices=1"])
    assert override in str(error.value)
    assert "trainer.devices" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("model=lagging", "schedule.epochs=4"), "schedule"),
        (("model=vae", "objective=warm_up", "objective.epochs=4"), "objective"),
    ],
    ids=["schedule", "objective"],
)
def test_how_long_a_resumed_run_must_be_can_be_given(
    options: tuple[str, ...], part: str, compose: Compose, tmp_path: Path
) -> None:
    save_config(compose(*options, "data=digits", "trainer.max_epochs=6"), tmp_path)
    with pytest.raises(
        ConfigError, match=rf"^trainer\.max_epochs=3: .* {part}\.epochs=4.*give 4 or more"
    ):
        resumed(tmp_path, ["trainer.max_epochs=3"])
    assert resumed(tmp_path, ["trainer.max_epochs=4"]).trainer.max_epochs == 4


def test_the_epochs_of_a_part_of_the_users_own_are_no_length(
    compose: Compose, tmp_path: Path
) -> None:
    options = ("model=vae", "objective=warm_up", "objective.epochs=4", "data=digits")
    config = compose(*options, "objective._target_=mine.Objective")
    save_config(config, tmp_path)
    again = resumed(tmp_path, ["trainer.max_epochs=3"], trust=("mine",))
    assert (again.trainer.max_epochs, again.objective.epochs) == (3, 4)


@pytest.mark.parametrize(
    ("written", "root"),
    [
        (r"data.root='/tmp/it\'s'", "/tmp/it's"),
        ("data.root='/data #1'", "/data #1"),
        ("data.root='a: b'", "a: b"),
    ],
)
def test_a_path_beside_resume_is_read_as_elsewhere(written: str, root: str, folder: Path) -> None:
    assert resumed(folder, [written]).data.root == root


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("trainer.max_epochs={", "cannot be read; .* stands in quotes"),
        ("data.root=/data #1", "cannot be read; .* stands in quotes"),
        ("trainer.max_epochs=3,4", "takes one value"),
    ],
)
def test_what_cannot_be_read_beside_resume_is_one_sentence(
    written: str, said: str, folder: Path
) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(written)}: {said}"):
        resumed(folder, [written])


def test_an_unknown_option_of_a_resumed_run_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"^trainer.max_epoch: the run has no such option"):
        resumed(folder, ["trainer.max_epoch=99"])


def test_a_run_of_an_earlier_version_gets_the_options_of_this_one(folder: Path) -> None:
    config = OmegaConf.load(folder / "config.yaml")
    del config.schema, config.trainer.compile
    config.callbacks.progress.refresh_rate = 20
    OmegaConf.save(config, folder / "config.yaml")
    assert resumed(folder, []).trainer.compile is False
    again = resumed(folder, ["trainer.compile=true"])
    assert again.trainer.compile is True
    assert "refresh_rate" not in again.callbacks.progress


def test_a_folder_that_is_no_run_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not the folder of a run"):
        resumed(tmp_path, [])
    # Hydra would wrap another exception in its own words.
    with pytest.raises(SystemExit, match="is not the folder of a run"):
        job_module.run_folder(str(tmp_path / "nothing"), "runs/new")
    assert list(tmp_path.iterdir()) == []


def test_the_data_of_a_second_stage_are_those_of_its_run(tmp_path: Path) -> None:
    assert job_module.data_of(None, "mnist") == "mnist"
    (tmp_path / "metrics.json").write_text('{"data": "digits"}')
    assert job_module.data_of(str(tmp_path), "mnist") == "digits"
    # Said where the run is read.
    assert job_module.data_of(str(tmp_path / "nothing"), "mnist") == "mnist"
    (tmp_path / "metrics.json").write_text("{")
    assert job_module.data_of(str(tmp_path), "mnist") == "mnist"


def test_the_folder_is_that_of_the_run_to_resume_or_a_new_one(folder: Path) -> None:
    assert job_module.run_folder(None, "runs/new") == "runs/new"
    assert job_module.run_folder(str(folder), "runs/new") == str(folder)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("seed=1",), "7_vae_digits_elbo_1"),
        (("condition=none",), "7_vae_digits_elbo_none_0"),
        (("condition=label", "trainer.max_epochs=2"), "7_vae_digits_elbo_label_0"),
        (("prior=flow", "schedule=joint"), "7_vae_digits_elbo_flow_joint_0"),
    ],
)
def test_the_jobs_of_a_multirun_are_named_by_what_is_chosen(
    words: tuple[str, ...], name: str
) -> None:
    with initialize_config_dir(str(configuration_folder()), version_base="1.3"):
        own = ["model=vae", "data=digits", "hydra.mode=MULTIRUN", "hydra.job.num=7", *words]
        config = hydra_compose("train", own, return_hydra_config=True)
    hydra = HydraConfig.instance()
    before = hydra.cfg
    try:
        hydra.set_config(config)
        assert config.hydra.sweep.subdir == name
    finally:
        hydra.cfg = before


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Pretend that Hydra runs a job."""

    def job(folder: Path, *overrides: str, mode: RunMode = RunMode.RUN) -> None:
        hydra = SimpleNamespace(
            runtime=SimpleNamespace(output_dir=str(folder), choices={"model": "vae"}),
            mode=mode,
            overrides=SimpleNamespace(
                task=[own for own in overrides if not own.startswith("hydra.")],
                hydra=[own for own in overrides if own.startswith("hydra.")],
            ),
            sweep=SimpleNamespace(dir=str(folder.parent), subdir=folder.name),
            job=SimpleNamespace(name="train"),
        )
        for module in (job_module, jobs):
            monkeypatch.setattr(module, "HydraConfig", SimpleNamespace(get=lambda: hydra))

    return job


@pytest.mark.parametrize(
    ("mode", "override", "said"),
    [
        (RunMode.RUN, "hydra.sweep.dir=x", "of one run is that of hydra.run.dir="),
        (RunMode.MULTIRUN, "hydra.run.dir=x", "of several runs is that of hydra.sweep.dir="),
    ],
)
def test_a_folder_that_no_run_would_have_is_refused(
    mode: RunMode,
    override: str,
    said: str,
    compose: Compose,
    job: Callable[..., None],
    tmp_path: Path,
) -> None:
    job(tmp_path, override, mode=mode)
    with pytest.raises(ConfigError, match=f"^{override}: has no effect, since the folder {said}"):
        job_module.job_config(compose("model=vae", "data=digits"), tmp_path)


def test_a_new_run_is_as_composed(
    compose: Compose, job: Callable[..., None], tmp_path: Path
) -> None:
    job(tmp_path)
    config = compose("model=vae", "data=digits", "logger=none")
    assert job_module.job_config(config, tmp_path) == config
    assert job_name() == ""


def test_a_run_is_resumed_by_its_folder_alone(
    compose: Compose, job: Callable[..., None], folder: Path
) -> None:
    job(folder, f"resume={folder}")
    config = compose("model=vae", "data=digits", f"resume={folder}")
    assert OmegaConf.to_container(job_module.job_config(config, folder)) == read_config(folder)
    job(folder, f"resume={folder}", "hydra.run.dir=elsewhere")
    with pytest.raises(
        ConfigError, match=r"hydra\.run\.dir=elsewhere cannot be set beside resume="
    ):
        job_module.job_config(config, folder)


def test_what_changes_nothing_of_a_run_is_refused_and_of_one_of_several_told(
    compose: Compose, job: Callable[..., None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = compose("model=vae", "data=digits", "logger=none", "recipe.beta=4")
    job(tmp_path, "recipe.beta=4")
    with pytest.raises(ConfigError, match=r"recipe\.beta=4: has no effect, since nothing"):
        job_module.job_config(config, tmp_path)
    job(tmp_path, "recipe.beta=4", mode=RunMode.MULTIRUN)
    assert job_module.job_config(config, tmp_path) == config
    assert "recipe.beta=4: has no effect, since nothing" in caplog.text


@pytest.mark.parametrize(
    ("of_sweep", "group"), [("here", "here"), (".", "start"), ("a" * 200, "a" * 128), ("/", None)]
)
def test_the_runs_of_a_multirun_are_one_group_whatever_its_folder_is_called(
    of_sweep: str,
    group: str | None,
    compose: Compose,
    job: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "start").mkdir()
    monkeypatch.chdir(tmp_path / "start")
    job(Path(of_sweep, "job"), mode=RunMode.MULTIRUN)
    config = compose("model=vae", "data=digits", "logger=wandb")
    assert job_module.job_config(config, tmp_path).logger.group == group
    check(config)


@pytest.mark.parametrize("mode", list(RunMode))
def test_a_new_run_is_not_mixed_with_another(
    mode: RunMode, compose: Compose, job: Callable[..., None], folder: Path
) -> None:
    job(folder, mode=mode)
    before = (folder / "config.yaml").read_bytes()
    with pytest.raises(RunError, match=f"{folder} holds a run already: .*resume={folder}"):
        job_module.job_config(compose("model=vae", "data=digits"), folder)
    assert (folder / "config.yaml").read_bytes() == before


def test_a_multirun_resumes_nothing(
    compose: Compose, job: Callable[..., None], folder: Path
) -> None:
    job(folder, f"resume={folder}", mode=RunMode.MULTIRUN)
    with pytest.raises(ConfigError, match="resume= takes one run: leave out -m"):
        job_module.job_config(compose("model=vae", "data=digits", f"resume={folder}"), folder)
    assert job_name() == "run: "


STUDY = ("model=lagging", "data=digits", "logger=none", "seed=3")


def test_a_run_of_a_study_goes_on_with_its_own_settings(
    compose: Compose, job: Callable[..., None], folder: Path
) -> None:
    job(folder, mode=RunMode.MULTIRUN)
    asked = compose(
        *STUDY,
        "study=mine",
        "data.root=/elsewhere",
        "trainer.compile=true",
        "callbacks.images=null",
    )
    config = job_module.job_config(asked, folder)
    begun = resumed(folder, [])
    assert (config.data.root, config.trainer.compile) == ("/elsewhere", True)
    config.data.root, config.trainer.compile, config.logger = begun.data.root, "auto", begun.logger
    assert config == begun


def test_a_run_of_a_study_that_has_not_begun_is_as_composed(
    compose: Compose, job: Callable[..., None], tmp_path: Path
) -> None:
    job(tmp_path / "new", mode=RunMode.MULTIRUN)
    asked = compose("model=lagging", "data=digits", "study=mine")
    assert job_module.job_config(asked, tmp_path / "new") == asked
    assert asked.logger.group == "mine"


@pytest.mark.parametrize(
    ("override", "name"),
    [
        ("trainer.max_epochs=3", "trainer.max_epochs"),
        ("trainer.precision=bf16-mixed", "trainer.precision"),
        ("optimizer.lr=0.1", "optimizer.lr"),
        ("likelihood.variance.decay=0.5", "likelihood.variance.decay"),
        ("recipe.channels=[4,8,16]", "recipe.channels"),
        ("callbacks.checkpoint.monitor=val/rec", "callbacks.checkpoint.monitor"),
        ("callbacks.seed=null", "callbacks.seed"),
    ],
)
def test_a_study_keeps_its_settings(
    override: str, name: str, compose: Compose, folder: Path
) -> None:
    with pytest.raises(
        RunError, match=f"holds a run with {name}=.*is asked for: a study keeps its settings"
    ):
        check_same_settings(compose(*STUDY, override), folder)


def test_what_does_not_change_the_result_may_differ_in_a_study(
    compose: Compose, folder: Path
) -> None:
    different = (
        "data.root=/elsewhere",
        "trainer.devices=[0]",
        "trainer.accelerator=cpu",
        "callbacks.sigma2=null",
    )
    check_same_settings(compose(*STUDY, *different, "study=mine"), folder)


def test_other_pictures_are_another_run_and_a_relative_path_is_not(
    compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("pictures", "others"):
        (tmp_path / name).mkdir()
    options = ("model=vae", "data=image_folder", "logger=none")
    save_config(compose(*options, "data.folder=pictures"), tmp_path / "run")
    check_same_settings(compose(*options, f"data.folder={tmp_path}/pictures"), tmp_path / "run")
    with pytest.raises(RunError, match=r"data\.folder="):
        check_same_settings(compose(*options, "data.folder=others"), tmp_path / "run")


def test_a_file_of_arrays_is_found_from_any_working_directory(
    compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images.npy").touch()
    options = ("model=vae", "data=arrays", "data.folder=images.npy", "logger=none")
    shape = "recipe.image_shape=[1,16,16]"
    save_config(compose(*options, shape), tmp_path / "run")
    assert begun_config(tmp_path / "run").data.folder == str(tmp_path / "images.npy")


@pytest.mark.parametrize("content", ["a: [", "", "- 1"])
def test_a_damaged_configuration_of_a_study_is_named(
    content: str, compose: Compose, folder: Path
) -> None:
    (folder / "config.yaml").write_text(content)
    with pytest.raises(RunError, match=r"config\.yaml is damaged"):
        check_same_settings(compose(*STUDY), folder)
