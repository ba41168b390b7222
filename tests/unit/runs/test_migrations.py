"""Files of earlier versions are read in today's form; those of later ones are refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

import reslag_vae
from reslag_vae import options
from reslag_vae._runtime.errors import ConfigError
from reslag_vae.runs import migrations
from reslag_vae.runs.checkpoints import read_checkpoint
from reslag_vae.runs.config import RUN_MODULES, RUN_TARGETS, foreign_target, read_config
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.migrations import SCHEMA, STEPS, Step, current_config, renamed
from reslag_vae.sharing.export import export
from reslag_vae.training.callbacks import MetricsCSV
from reslag_vae.training.resume import resumed
from tests.running import BARE

ROOT = Path(__file__).parents[3]
COMMITTED = sorted(path.parent for path in (ROOT / "experiments").rglob("config.yaml"))
OLD = ROOT / "tests" / "golden" / "version_0_1" / "lagging"
HERE = Path("config.yaml")

LATER = (
    rf"is of a later version of this package: schema {SCHEMA + 1}, and this one knows {SCHEMA}\."
)


def same(tree: Any) -> Any:
    return tree


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A run of version 0.1."""
    return Path(shutil.copytree(OLD, tmp_path / "old"))


@pytest.fixture(scope="module")
def run(train: Any, compose: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of today."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    train(compose(*BARE, "model=vae", "trainer.max_epochs=1"), folder)
    return folder


def rewritten(path: Path, **changes: Any) -> None:
    """Change the `hyper_parameters` of a checkpoint."""
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["hyper_parameters"] = dict(checkpoint["hyper_parameters"]) | changes
    torch.save(checkpoint, path)


def test_every_schema_leads_to_todays() -> None:
    assert list(STEPS) == list(range(1, SCHEMA))


def test_committed_runs_of_version_0_1_are_made_of_todays_parts() -> None:
    assert any("reslag_vae.models." in (folder / "config.yaml").read_text() for folder in COMMITTED)
    for folder in COMMITTED:
        assert foreign_target(read_config(folder), RUN_MODULES, others=RUN_TARGETS) is None


def test_names_of_others_stay() -> None:
    tree = {
        "_target_": "mymodels.VAE",
        "a": [{"_target_": "lightning.Trainer", "b": "reslag_vae.models.VAE"}],
        "c": 1,
    }
    assert renamed(tree) == tree


def test_what_is_written_says_of_which_schema_it_is_and_what_is_read_does_not(
    run: Path, tmp_path: Path
) -> None:
    export(run, tmp_path / "out")
    assert OmegaConf.load(run / "config.yaml").schema == SCHEMA
    assert json.loads((tmp_path / "out" / "config.json").read_text())["schema"] == SCHEMA
    assert "schema" not in read_config(run)
    for which in ("best", "last"):
        path = run / "checkpoints" / f"{which}.ckpt"
        written = torch.load(path, weights_only=True)["hyper_parameters"]
        assert written.pop("schema") == SCHEMA
        assert read_checkpoint(path)["hyper_parameters"] == written


def test_an_old_run_that_goes_on_is_one_of_today(old: Path, train: Any) -> None:
    before = read_config(old)
    train(resumed(old, ["trainer.max_epochs=3"]), old)
    tree: Any = OmegaConf.to_container(OmegaConf.load(old / "config.yaml"))
    assert tree.pop("schema") == SCHEMA
    tree["trainer"]["max_epochs"], tree["data"]["root"] = 2, before["data"]["root"]
    assert tree == before
    last = torch.load(old / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["hyper_parameters"]["schema"] == SCHEMA


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (SCHEMA + 1, LATER),
        (0, r"is damaged: its schema is 0\."),
        (True, r"is damaged: its schema is True\."),
        ("two", r"is damaged: its schema is two\."),
        (1.5, r"is damaged: its schema is 1\.5\."),
    ],
)
def test_a_later_schema_and_one_that_is_none_are_refused(
    schema: Any, expected: str, old: Path, run: Path, tmp_path: Path
) -> None:
    config = OmegaConf.load(old / "config.yaml")
    config.schema = schema
    OmegaConf.save(config, old / "config.yaml")
    with pytest.raises(RunError, match=rf"config\.yaml {expected}$"):
        resumed(old, [])
    rewritten(old / "checkpoints" / "best.ckpt", schema=schema)
    with pytest.raises(RunError, match=rf"best\.ckpt {expected}$"):
        reslag_vae.load(old)
    export(run, tmp_path / "out")
    path = tmp_path / "out" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": schema}))
    with pytest.raises(RunError, match=rf"config\.json {expected}$"):
        reslag_vae.load(tmp_path / "out")


@pytest.mark.parametrize("override", ["schema=1", "+schema=2"])
def test_the_schema_is_no_option(override: str, compose: Any, run: Path) -> None:
    config: DictConfig = compose(*BARE, "model=vae", "+schema=2")
    with pytest.raises(ConfigError, match=r"^schema=2: there is no such option"):
        options.check(config)
    with pytest.raises(ConfigError, match=r"^schema=\d cannot be set beside resume="):
        resumed(run, [override])


def test_steps_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def counted(tree: dict[str, Any]) -> dict[str, Any]:
        return tree | {"steps": [*tree.get("steps", []), len(tree.get("steps", []))]}

    monkeypatch.setattr(migrations, "SCHEMA", 4)
    monkeypatch.setattr(
        migrations, "STEPS", dict.fromkeys((1, 2, 3), Step(counted, counted, {}, {}))
    )
    for tree, steps in (({}, [0, 1, 2]), ({"schema": 3}, [0]), ({"schema": 4}, None)):
        found = current_config({**tree, "model": {}}, HERE)
        assert found.get("steps") == found["model"].get("steps") == steps
        assert "schema" not in found


def test_what_a_step_cannot_make_sense_of_is_one_sentence(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def demanding(tree: dict[str, Any]) -> dict[str, Any]:
        return {"child": tree["nowhere"]}

    expected = r"is damaged, or of another version of this package: 'nowhere'$"
    monkeypatch.setattr(migrations, "SCHEMA", 2)
    monkeypatch.setattr(migrations, "STEPS", {1: Step(same, demanding, {}, {})})
    with pytest.raises(RunError, match=rf"config\.yaml {expected}"):
        read_config(old)
    with pytest.raises(RunError, match=rf"best\.ckpt {expected}"):
        reslag_vae.load(old)


def test_a_checkpoint_whose_model_would_grow_is_refused_at_once(old: Path) -> None:
    node: dict[str, Any] = {"_target_": "reslag_vae.models.VAE"}
    for _ in range(60):
        node = {"_target_": "reslag_vae.models.VAE", "a": node, "b": node}
    path = old / "checkpoints" / "best.ckpt"
    rewritten(path, model=node)
    # It stands for 2 to the 60 nodes: a migration that visits them never ends.
    with pytest.raises(RunError, match=r"best\.ckpt is not a checkpoint of this package"):
        reslag_vae.load(old)


@pytest.mark.parametrize(
    "target", ["reslag_vae.callbacks.MetricsFile", "reslag_vae.training.callbacks.MetricsFile"]
)
def test_a_class_that_was_renamed_is_built_by_its_former_names(target: str) -> None:
    # Version 0.1 wrote no schema.
    schema = {} if "training" not in target else {"schema": SCHEMA}
    found = current_config({"callbacks": {"metrics_file": {"_target_": target}}} | schema, HERE)
    assert found["callbacks"] == {
        "metrics_file": {"_target_": "reslag_vae.training.callbacks.MetricsCSV"}
    }


def test_every_renamed_class_is_there() -> None:
    for name in migrations.CLASSES.values():
        assert callable(get_object(name))


def test_the_rows_of_an_old_run_are_read_from_its_checkpoint() -> None:
    state = torch.load(OLD / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"]
    callback = MetricsCSV()
    callback.load_state_dict(state[callback.state_key])
    assert [row["epoch"] for row in callback.rows] == list(range(1, len(callback.rows) + 1))
    assert callback.rows


def test_the_priors_of_a_hierarchy_have_been_the_model_s(
    train: Any, compose: Any, tmp_path: Path
) -> None:
    small = ("network.channels=[4,4]", "network.latent_channels=[1,1]", "data.batch_size=512")
    options = ("model=ladder_vae", *small, "trainer.max_epochs=1")
    train(compose(*BARE, *options), tmp_path / "run")
    model = reslag_vae.load(tmp_path / "run")
    path = tmp_path / "run" / "checkpoints" / "best.ckpt"
    rewritten(path, schema=3)
    checkpoint = torch.load(path, weights_only=True)
    now, then = "model.network.generative.heads.", "model.heads."
    state = {name.replace(now, then): value for name, value in checkpoint["state_dict"].items()}
    assert sum(name.startswith(then) for name in state) == 4
    torch.save(checkpoint | {"state_dict": state}, path)
    old = reslag_vae.load(tmp_path / "run")
    for name, value in model.state_dict().items():
        assert torch.equal(old.state_dict()[name], value)
