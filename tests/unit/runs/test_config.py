"""The configuration that a run's folder keeps, damaged, malicious and foreign."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from reslag_vae import data, networks, objectives, variants
from reslag_vae._runtime.errors import ConfigError
from reslag_vae.runs.config import (
    RUN_MODULES,
    RUN_TARGETS,
    check_trust,
    foreign_target,
    is_exported,
    read_config,
    refusal,
)
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.migrations import SCHEMA
from reslag_vae.studies.run_state import State, run_status
from reslag_vae.training import callbacks, optimizers, schedules
from reslag_vae.training.build import build_system
from reslag_vae.training.resume import resumed
from reslag_vae.training.stored_config import final_config, save_config
from reslag_vae.training.study_job import study_config
from tests.running import ROOT, SMALL

Compose = Callable[..., DictConfig]

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60))


@pytest.fixture(scope="module")
def saved(compose: Compose, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The configuration of a run, as its folder keeps it."""
    folder = tmp_path_factory.mktemp("saved")
    save_config(compose("model=vae", *SMALL), folder)
    return (folder / "config.yaml").read_text()


@pytest.fixture
def run(saved: str, tmp_path: Path) -> Path:
    """The folder of a run that was begun."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(saved)
    return tmp_path / "run"


DAMAGED = {
    "empty": b"",
    "a list": b"- 1\n- 2\n",
    "a scalar": b"text\n",
    "a number": b"3\n",
    "binary": bytes(range(256)),
    "no YAML": b"a: [",
    "a tab": b"a:\n\t- b\n",
    "a zero": b"a: \x00\n",
    "a name twice": b"seed: 1\nseed: 2\n",
    "no name": b"a:\n  ~: 1\n",
    "a list for a name": b"[a]: 1\n",
    "code": b"a: !!python/object/apply:os.system ['true']\n",
    "a type": b"a: !!binary aGVsbG8=\n",
    "a path": b"a: !!python/object/apply:pathlib.Path [/]\n",
    "levels": b"a: " + b"[" * 2000 + b"]" * 2000,
    "levels of names": b"".join(b" " * i + b"a:\n" for i in range(60)),
    "itself": b"a: &a\n  b: *a\n",
    "a bomb": BOMB.encode(),
    "an anchor": b"a: &x 1\n",
    "a reference": b"a: ${oc.env:HOME}\n",
    "too large": b"a: '" + b"x" * 300_000 + b"'\n",
    "too many values": b"a: [" + b"1," * 20_000 + b"1]\n",
    "no parts": b"seed: 1\n",
    "parts that are none": b"seed: 1\nmodel: 1\ndata: []\ntrainer: x\ncallbacks: null\n",
    "no seed": b"model: {}\ndata: {}\ntrainer: {}\ncallbacks: {}\n",
    "a seed that is none": b"model: {}\ndata: {}\ntrainer: {}\ncallbacks: {}\nseed: {a: 1}\n",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_configuration_is_one_sentence(content: bytes, run: Path) -> None:
    (run / "config.yaml").write_bytes(content)
    with pytest.raises(RunError, match=r"config\.yaml") as error:
        resumed(run, [])
    assert "\n" not in str(error.value)
    assert run_status(run).state in (State.DAMAGED, State.INTERRUPTED), (
        "others of its study are told of"
    )


@pytest.mark.parametrize("kind", ["folder", "link to nothing", "link to a device"])
def test_a_configuration_that_is_no_file_is_one_sentence(kind: str, run: Path) -> None:
    path = run / "config.yaml"
    path.unlink()
    if kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("nowhere" if kind == "link to nothing" else "/dev/zero")
    with pytest.raises(RunError, match=r"config\.yaml") as error:
        resumed(run, [])
    assert "\n" not in str(error.value)


def test_a_configuration_that_would_grow_is_refused_at_once(run: Path) -> None:
    (run / "config.yaml").write_text(BOMB)
    # It stands for 2 to the 60 values: a reader that makes them never ends.
    with pytest.raises(RunError, match="references to its own parts"):
        read_config(run)


def test_a_saved_configuration_is_read_as_it_was(compose: Compose, run: Path) -> None:
    assert read_config(run) == OmegaConf.to_container(final_config(compose("model=vae", *SMALL)))


PAYLOADS = {
    "sympy": {"_target_": "sympy.sympify", "a": "__import__('os').mkdir('BUILT')"},
    "a pickle": {"_target_": "torch.load", "f": "EVIL", "weights_only": False},
    "hub": {"_target_": "torch.hub.load", "repo_or_dir": "HERE", "model": "x", "source": "local"},
    "a partial": {"_target_": "os.mkdir", "_partial_": True, "path": "BUILT"},
    "builtins": {"_target_": "builtins.eval", "_args_": ["__import__('os').mkdir('BUILT')"]},
    "a file": {"_target_": "logging.FileHandler", "filename": "BUILT"},
    "through ours": {"_target_": "reslag_vae.training.job.Path.mkdir", "self": "BUILT"},
    "imported by ours": {"_target_": "reslag_vae.training.system.torch.load", "f": "EVIL"},
    "no class of ours": {"_target_": "reslag_vae.training.optimizers.Adam", "params": []},
    "not a name": {"_target_": 3},
    "a list": {"_target_": ["os.mkdir"], "path": "BUILT"},
}
PLACES = [
    "callbacks.x",
    "callbacks.progress",
    "data",
    "data.root",
    "trainer.profiler",
    "trainer",
    "model",
    "logger",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_nothing_foreign_is_built_of_a_run_that_is_resumed(
    payload: Any, place: str, run: Path
) -> None:
    config = OmegaConf.load(run / "config.yaml")
    OmegaConf.update(config, place, payload, merge=False, force_add=True)
    OmegaConf.save(config, run / "config.yaml")
    with pytest.raises(
        RunError, match=r"config\.yaml (is not resumed: it would build|is damaged)"
    ) as error:
        resumed(run, [])
    assert "\n" not in str(error.value)


def test_what_a_study_does_not_compare_is_not_built_either(run: Path, compose: Compose) -> None:
    config = OmegaConf.load(run / "config.yaml")
    config.callbacks.progress = {"_target_": "sympy.sympify", "a": "1"}
    OmegaConf.save(config, run / "config.yaml")
    with pytest.raises(RunError, match=r"it would build sympy\.sympify"):
        study_config(compose("model=vae", *SMALL, "study=mine"), run)


def test_references_are_not_resolved(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "told")
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("monitor: val/loss", "monitor: ${oc.env:SECRET}"))
    with pytest.raises(RunError, match="it holds references") as error:
        resumed(run, [])
    assert "told" not in str(error.value)


def test_the_users_own_modules_are_built_where_they_are_trusted(run: Path) -> None:
    config = OmegaConf.load(run / "config.yaml")
    config.model._target_ = "mymodels.mine.MyVAE"
    OmegaConf.save(config, run / "config.yaml")
    with pytest.raises(RunError, match=r"mymodels\.mine\.MyVAE.*trust=\[mymodels\.mine\]"):
        resumed(run, [])
    for trust in ("mymodels", "mymodels.mine", "mymodels.mine.MyVAE"):
        assert resumed(run, [], (trust,)).model._target_ == "mymodels.mine.MyVAE"
    for other in ("my", "mymodel", "mymodels.mine.My", "mymodels.other"):
        with pytest.raises(RunError, match="it would build"):
            resumed(run, [], (other,))


@pytest.mark.parametrize(
    "target", ["os.mkdir", "sympy.sympify", "torch.load", "reslag_vae.training.job.Path"]
)
def test_nobody_is_told_to_trust_what_is_installed(target: str) -> None:
    assert refusal(target) == f"it would build {target}, which is none of this package's parts."
    assert "trust=[mymodels]" in refusal("mymodels.MyVAE")


def test_a_run_with_a_callback_of_lightning_says_how_it_goes_on(run: Path) -> None:
    config = OmegaConf.load(run / "config.yaml")
    config.callbacks.device = {"_target_": "lightning.pytorch.callbacks.DeviceStatsMonitor"}
    OmegaConf.save(config, run / "config.yaml")
    with pytest.raises(RunError, match=r"chosen: .*trust=\[lightning\.pytorch\.callbacks\]"):
        resumed(run, [])
    resumed(run, [], ("lightning.pytorch.callbacks",))


def test_a_refusal_says_how_each_command_is_told_to_trust() -> None:
    said = refusal("mymodels.MyVAE")
    for words in ("--trust mymodels", "trust=[mymodels] of train and evaluate", "('mymodels',)"):
        assert words in said


@pytest.mark.parametrize(
    "trust", [3, {"a": 1}, ["a b"], ["os; x"], [""], ["a."], [None], "../x", ["a/b"]]
)
def test_trust_names_modules(trust: Any) -> None:
    with pytest.raises(ConfigError, match="trust="):
        check_trust(trust)


def test_everything_that_a_command_can_name_may_be_built_again() -> None:
    """The groups of conf/ are made of exported classes alone."""
    text = "\n".join(path.read_text() for path in (ROOT / "conf").rglob("*.yaml"))
    named = {
        line.split("_target_:")[1].split("#")[0].strip()
        for line in text.splitlines()
        if "_target_:" in line
    }
    folder = {
        "reslag_vae.training.job_folder.FolderWatch",
        "hydra_plugins.reslag_vae_study.StudySweeper",
    }
    for target in named - folder - RUN_TARGETS:
        assert is_exported(target, RUN_MODULES), target
    assert (
        foreign_target({"a": [{"_target_": "lightning.Trainer"}]}, RUN_MODULES, others=RUN_TARGETS)
        is None
    )


@pytest.mark.parametrize(
    "module", [variants, networks, objectives, schedules, optimizers, data, callbacks]
)
def test_what_is_exported_is_of_this_package(module: Any) -> None:
    for name in module.__all__:
        value = getattr(module, name)
        assert getattr(value, "__module__", "reslag_vae").startswith("reslag_vae"), name


def test_a_model_is_not_built_beyond_what_its_checkpoint_holds(run: Path) -> None:
    import reslag_vae

    config: Any = read_config(run)["model"]
    state = dict(build_system(OmegaConf.create({"model": config})).state_dict())
    (run / "checkpoints").mkdir()
    for change in ({"blocks": [10_000_000, 1]}, {"channels": [10**9, 8]}, {"latent_dim": 700}):
        inner = config["model"]
        larger = config | {"model": inner | {"network": inner["network"] | change}}
        own = {"schema": SCHEMA, "model": larger}
        checkpoint = {"state_dict": state, "hyper_parameters": own}
        torch.save(checkpoint, run / "checkpoints" / "best.ckpt")
        with pytest.raises(RunError, match=r"best\.ckpt is damaged, or of another version"):
            reslag_vae.load(run)


def test_what_is_trusted_and_cannot_be_imported_or_has_no_name_is_one_sentence() -> None:

    missing: Any = {"model": {"_target_": "no_such_module.MyVAE"}}
    with pytest.raises(
        ConfigError,
        match=r"^no_such_module\.MyVAE: cannot be imported: .*No module named .no_such_module",
    ):
        build_system(OmegaConf.create(missing))
