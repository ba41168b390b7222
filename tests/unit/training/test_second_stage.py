"""A second stage: the prior of a run's model is trained, and all else stands still."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from omegaconf import DictConfig, OmegaConf, open_dict

import reslag_vae
from reslag_vae import options
from reslag_vae._runtime.errors import ConfigError
from reslag_vae.models import GenerativeModel
from reslag_vae.runs.errors import RunError
from reslag_vae.training.build import build_system
from reslag_vae.training.first_stage import begin_with_run
from reslag_vae.training.resume import resumed
from reslag_vae.training.second_stage import second_stage, staged
from tests.running import assert_same_runs, metrics
from tests.systems import QUICK
from tests.updates import equal

Compose = Callable[..., DictConfig]
FirstStage = Callable[..., Path]
Train = Callable[[DictConfig, Path], float]

pytestmark = pytest.mark.usefixtures("small_digits")

# Minibatches as the first stage's: sums over others round otherwise.
OWN = ("trainer.accelerator=cpu", "logger=none", "data.batch_size=128")
PRIORS = {
    "pixelcnn": ("model=code_prior", "prior.channels=8", "prior.layers=2"),
    "mixture": ("model=fitted_prior", "prior=mixture"),
    "flow": ("model=fitted_prior", "prior.transforms=2", "prior.hidden_features=[8]"),
    "two_stage": ("model=fitted_prior", "prior=two_stage", "prior.hidden_features=[8]"),
    "vamp": ("model=fitted_prior", "prior=vamp", "prior.pseudo_inputs=5"),
}


class Case(NamedTuple):
    """What a second stage begins with, and the prior that it trains."""

    first: tuple[str, ...]
    prior: str


GRID = ("network.channels=[4,8]", "network.blocks=[1,1]")
CASES = [
    Case(("model=vq_vae", "posterior.codes=20", *GRID), "pixelcnn"),
    Case(("model=vq_vae", "posterior.codes=20", "posterior.follows=loss", *GRID), "pixelcnn"),
    Case(("model=fsq_vae", "objective=sigma_optimal", *GRID), "pixelcnn"),
    Case(("model=vq_vae_2", "posterior.codes=20", "network.channels=[2,3,4]"), "pixelcnn"),
    Case(("model=vae", "objective=sigma_optimal"), "mixture"),
    Case(("model=vae", "objective=free_bits"), "flow"),
    Case(("model=vae", "objective=warm_up", "objective.epochs=1"), "vamp"),
    Case(("model=beta_vae",), "mixture"),
    Case(("model=mmd_infovae",), "two_stage"),
    Case(("model=autoencoder",), "mixture"),
    Case(("model=reslag_light", "schedule.epochs=1"), "mixture"),
    Case(("model=f_vae", "prior.transforms=2", "prior.hidden_features=[8]"), "flow"),
]
# One of each prior, and those that are something else to a second stage, go without the slow tests.
FEW = (0, 3, 4, 5, 6, 8)
every_case = pytest.mark.parametrize(
    "case",
    [
        pytest.param(own, marks=[] if i in FEW else pytest.mark.slow, id="-".join(own.first))
        for i, own in enumerate(CASES)
    ],
)


@pytest.fixture
def first_stage(first_stage: FirstStage) -> FirstStage:
    return lambda *own: first_stage(*own, "recipe.image_shape=[1,8,8]")


def composed(compose: Compose, run: Path, case: Case, *overrides: str) -> DictConfig:
    """The configuration of a second stage, as the command line would make it."""
    taken = (*PRIORS[case.prior], f"run={run}", *OWN, *overrides)
    return second_stage(compose(*taken), taken, run)


def without_priors(model: GenerativeModel) -> dict[str, torch.Tensor]:
    return {name: value for name, value in model.state_dict().items() if not is_of_prior(name)}


def is_of_prior(name: str) -> bool:
    return name.startswith(("prior.", "bottom_prior."))


@every_case
def test_all_but_the_prior_stands_still(
    case: Case, compose: Compose, first_stage: FirstStage, train: Train, tmp_path: Path
) -> None:
    run = first_stage(*case.first)
    config = composed(compose, run, case, *QUICK, "trainer.max_epochs=2")
    untrained = build_system(config)
    begin_with_run(untrained, config)
    begun = untrained.model.state_dict()
    train(config, tmp_path / "second")
    before, after = reslag_vae.load(run), reslag_vae.load(tmp_path / "second", "last")

    assert equal(without_priors(before), without_priors(after))
    learnt = dict(after.named_parameters())
    moved = {name for name, value in after.state_dict().items() if not value.equal(begun[name])}
    assert set(filter(is_of_prior, learnt)) <= moved <= set(filter(is_of_prior, begun))
    assert after.parts()["prior"].name == case.prior
    # What is not of the prior is measured to be what it was; an MMD's minibatches are other sums.
    first, second = (metrics(folder) for folder in (run, tmp_path / "second"))
    for split in ("val", "test"):
        assert {"sigma2", "commitment"} & first[split].keys() <= second[split].keys()
        for name in {"rec", "sigma2", "commitment"} & second[split].keys():
            own = first[split][name]
            assert second[split][name] == (None if own is None else pytest.approx(own, rel=1e-6)), (
                name
            )


def test_it_is_resumed_without_its_run(
    compose: Compose, first_stage: FirstStage, train: Train, tmp_path: Path
) -> None:
    case = CASES[0]
    run = shutil.copytree(first_stage(*case.first), tmp_path / "first")
    config = composed(compose, run, case, *QUICK, "trainer.max_epochs=2")
    train(config, tmp_path / "whole")
    shorter = composed(compose, run, case, *QUICK, "trainer.max_epochs=1")
    train(shorter, tmp_path / "parted")
    shutil.rmtree(run)
    longer = resumed(tmp_path / "parted", ["trainer.max_epochs=2"])
    train(longer, tmp_path / "parted")

    assert_same_runs(tmp_path / "whole", tmp_path / "parted")


def test_it_keeps_the_objective_that_evaluations_go_by(
    compose: Compose, first_stage: FirstStage, train: Train, tmp_path: Path
) -> None:
    """Also the second stage of a second stage."""
    case = Case(("model=beta_vae",), "mixture")
    run = first_stage(*case.first)
    for name in ("second", "third"):
        config = composed(compose, run, case, *QUICK)
        assert config.model.objective.trained_with._target_ == "reslag_vae.objectives.Beta"
        train(config, tmp_path / name)
        run = tmp_path / name
    assert equal(
        without_priors(reslag_vae.load(first_stage(*case.first))),
        without_priors(reslag_vae.load(run)),
    )


def test_it_has_the_images_of_its_run(
    compose: Compose, first_stage: FirstStage, train: Train, tmp_path: Path
) -> None:
    case = CASES[4]
    run = first_stage(*case.first)
    config = composed(compose, run, case, "seed=7", "data=digits", "data.root=elsewhere")
    assert (config.seed, config.data.seed) == (7, 0)
    assert config.data.root == "elsewhere"
    with open_dict(config):
        config.data.seed = 7  # another val
    with pytest.raises(RunError, match=r"its data have changed: .*changed_data=accept"):
        train(config, tmp_path / "second")
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize(
    "override",
    ["network=plain", "network.channels=[3]", "data=mnist", "data.val_fraction=0.3",
     "recipe.max_epochs=3", "likelihood=bernoulli", "posterior.codes=3", "network@here=plain",
     "condition=label", "+model.model.foo=3"],
)  # fmt: skip
def test_what_is_of_its_run_cannot_be_set(
    override: str, compose: Compose, first_stage: FirstStage
) -> None:
    run = first_stage(*CASES[0].first)
    told = ["condition=label"] if override == "condition=label" else []
    config = compose("model=code_prior", f"run={run}", "data=mnist", *told)
    with pytest.raises(ConfigError, match="cannot be set beside run=") as refused:
        second_stage(config, [override], run)
    assert str(refused.value).startswith(override)


def test_bad_runs_are_named(compose: Compose, first_stage: FirstStage, tmp_path: Path) -> None:
    def refused(run: object, *choices: str) -> str:
        config = compose(*(choices or ("model=code_prior",)), f"run={run}", *OWN)
        with pytest.raises((ConfigError, RunError, ValueError)) as error:
            build_system(staged(config, [], Path("unused")))
        return str(error.value)

    assert refused("null").startswith("run=null: name the folder")
    assert "is not the folder of a run" in refused(tmp_path / "nothing")
    unfinished = shutil.copytree(first_stage(*CASES[0].first), tmp_path / "unfinished")
    (unfinished / "metrics.json").unlink()
    assert (
        refused(unfinished)
        == f"{unfinished} has not finished: resume={unfinished} goes on with it."
    )
    free = first_stage("model=pixelcnn", "likelihood.channels=2", "likelihood.layers=1")
    assert refused(free).endswith("its model has no latents, and so no prior to fit.")
    flat = first_stage(*CASES[4].first)
    assert refused(flat).startswith("model=code_prior does not take posterior=diagonal_gaussian;")
    binary = first_stage("model=vae", "posterior=bernoulli", "prior=boltzmann")
    # Of the run's parts no other can be chosen.
    assert (
        refused(binary, "model=fitted_prior")
        == "posterior=bernoulli does not take prior=flow; it takes prior=boltzmann."
    )
    assert "it takes posterior=" not in refused(flat, "model=fitted_prior", "prior=boltzmann")
    coded = first_stage(*CASES[0].first)
    with pytest.raises(ConfigError, match="prior=uniform_codes or prior=pixelcnn"):
        reslag_vae.options.check(second_stage(compose("model=fitted_prior", *OWN), [], coded))


@pytest.mark.parametrize(
    "place",
    ["model.model.network", "model.model.prior", "model.objective", "data", "callbacks.progress"],
)
def test_nothing_foreign_is_built_of_its_run(
    place: str, compose: Compose, first_stage: FirstStage, tmp_path: Path
) -> None:
    run = shutil.copytree(first_stage(*CASES[0].first), tmp_path / "first")
    tree = OmegaConf.load(run / "config.yaml")
    OmegaConf.update(tree, place, {"_target_": "mymodels.Own"})
    OmegaConf.save(tree, run / "config.yaml")
    config = compose("model=code_prior", f"run={run}", *OWN)
    with pytest.raises(RunError, match=r"is not begun with: it would build mymodels\.Own"):
        second_stage(config, [], run)
    trusting = compose("model=code_prior", f"run={run}", "trust=[mymodels]", *OWN)
    assert second_stage(trusting, [], run).run == str(run)


def test_a_row_of_its_study_can_be_named(
    compose: Compose, first_stage: FirstStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = first_stage(*CASES[0].first)
    results = run.parents[1]
    row = run.parent.name
    config = compose("model=code_prior", f"run={row}", "study=codes", *OWN)
    folder = results / "code_prior" / run.name
    assert staged(config, [], folder).run == str(run)
    monkeypatch.chdir(results)
    assert staged(config, [], Path("code_prior", run.name)).run == str(run)
    relative = f"run={run.relative_to(results)}"
    assert staged(compose("model=code_prior", relative, *OWN), [], folder).run == str(run)


def test_a_prior_that_learns_nothing_is_refused(compose: Compose, first_stage: FirstStage) -> None:
    run = first_stage(*CASES[4].first)
    config = compose("model=fitted_prior", "prior=standard_normal", f"run={run}", *OWN)
    with pytest.raises(ValueError, match=r"^prior=standard_normal: has nothing to fit"):
        build_system(second_stage(config, [], run))


def test_a_run_that_is_gone_is_named_before_anything_is_written(
    compose: Compose, first_stage: FirstStage, train: Train, tmp_path: Path
) -> None:
    run = shutil.copytree(first_stage(*CASES[0].first), tmp_path / "first")
    config = composed(compose, run, CASES[0], *QUICK)
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(RunError, match=r"best\.ckpt is not there"):
        train(config, tmp_path / "second")
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize("name", ["vae", "beta", "autoencoder", "mmd_infovae"])
def test_it_begins_with_runs_of_version_0_1(name: str, compose: Compose) -> None:
    run = Path(__file__).parents[2] / "golden" / "version_0_1" / name
    config = compose("model=fitted_prior", "prior=mixture", f"run={run}", *OWN)
    config = second_stage(config, [], run)
    options.check(config)
    system = build_system(config)
    begin_with_run(system, config)
    assert equal(without_priors(system.model), without_priors(reslag_vae.load(run)))
    assert OmegaConf.select(config, "recipe.channels") is not None
