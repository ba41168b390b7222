"""The studies in conf/experiment: every run composes and builds, every question has its rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.reslag_vae_study import axes_of
from reslag_vae.options import check
from reslag_vae.studies.grid import Job, jobs
from reslag_vae.studies.plan import parse_question
from reslag_vae.training.build import build_system

Compose = Callable[..., DictConfig]

FOLDER = Path(__file__).parents[3] / "conf" / "experiment"
# By experiment, the study whose folder it fills.
STUDIES = {
    "table1": "table1",
    "table1_pictures": "table1",
    "beta_sweep": "beta_sweep",
    "lagging": "lagging",
    "collapse": "collapse",
    "collapse_omniglot": "collapse",
    "priors": "priors",
    "codes": "codes",
    "codes_prior": "codes",
    "deep": "deep",
    "hierarchies": "hierarchies",
}
# Whose runs begin with those of another experiment of the study
SECOND = {"codes_prior": "codes"}
# Data sets whose images are of the size of those of another
SIZES = {"fashion_mnist": "mnist", "cifar100": "cifar10"}
FIRST = [name for name in STUDIES if name not in SECOND]


def sweeper(name: str) -> Any:
    """Return the sweeper's node in an experiment's file, merged with that of its study."""
    own, study = (
        OmegaConf.load(FOLDER / f"{file}.yaml").hydra.sweeper
        for file in (name, STUDIES.get(name, name))
    )
    return OmegaConf.to_container(OmegaConf.merge(study, own))


def runs(name: str, data: str | None = None) -> list[Job]:
    chosen = {} if data is None else {"data": [data]}
    return jobs([axes_of(grid) for grid in sweeper(name)["grids"]], chosen)


def test_these_are_all() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == {*STUDIES, "study", "beta_tuned"}


@pytest.mark.parametrize(
    "sizes", ["one", pytest.param("every", marks=pytest.mark.slow)], ids="{}_size".format
)
@pytest.mark.parametrize("name", FIRST)
def test_every_run_is_one_that_can_be_trained(name: str, sizes: str, compose: Compose) -> None:
    # One data set of each size is enough: the recipe's own number of stages and blocks, with fewer
    # channels.
    built = {
        (job.row, SIZES.get(job.data, job.data) if sizes == "every" else ""): job
        for job in reversed(runs(name))
    }
    for job in built.values():
        options = [
            *job.overrides,
            *(["data.folder=pictures"] if job.data.endswith("_folder") else []),
        ]
        config = compose(f"experiment={name}", *options)
        check(config)
        assert config.study == STUDIES[name]
        assert config.callbacks.progress is None
        config.recipe.channels = [2 * (i + 1) for i in range(len(config.recipe.channels))]
        model = build_system(config)
        assert f"model={model.name}" in job.overrides
        assert job.row.startswith(model.name)


@pytest.mark.parametrize("name", SECOND)
def test_every_second_stage_begins_with_a_row_of_its_study(name: str, compose: Compose) -> None:
    rows = {(job.data, job.row) for job in runs(SECOND[name])}
    for job in runs(name):
        config = compose(f"experiment={name}", *job.overrides)
        assert (job.data, config.run) in rows
        assert config.study == STUDIES[name]


@pytest.mark.parametrize("name", ["table1", "lagging", "beta_sweep"])
def test_a_study_runs_on_data_that_need_no_file(name: str, compose: Compose) -> None:
    own = runs(name, "digits")
    assert {job.data for job in own} == {"digits"}
    # Digits have 28x28 pixels, as MNIST: the residual connections are left out there.
    like = [job.row for job in runs(name) if job.data in ("mnist", "fashion_mnist")]
    assert [job.row for job in own] == list(dict.fromkeys(like))
    check(compose(f"experiment={name}", *own[-1].overrides))


@pytest.mark.parametrize("name", STUDIES)
def test_every_question_is_about_rows_of_the_study(name: str) -> None:
    rows = {job.row for each in (name, SECOND.get(name, name)) for job in runs(each)}
    asked = [parse_question(node) for node in sweeper(name)["questions"]]
    assert asked
    for own in asked:
        assert {own.first, own.second} <= rows


def test_table1_has_every_cell_of_the_thesis() -> None:
    from reslag_vae.studies.report.thesis import table1

    places = {(job.data, job.row.split("-")[0]) for job in runs("table1")}
    assert table1().keys() <= places


def test_beta_is_tuned_on_validation_images(compose: Compose) -> None:
    config = compose("experiment=beta_tuned")
    assert (config.monitor, config.study) == ("val/bits_per_dim", "beta_sweep")
    assert build_system(config).name == "beta_vae"
    assert set(sweeper("beta_tuned")["params"]) == {"objective.beta"}
