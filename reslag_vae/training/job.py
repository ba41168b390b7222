"""The configuration of a job: composed by Hydra, or that of the run to resume."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from reslag_vae._runtime import ranks
from reslag_vae._runtime.errors import ConfigError, first_line
from reslag_vae._runtime.files import write_atomically
from reslag_vae._runtime.terminal import override
from reslag_vae.runs.config import (
    RUN_MODULES,
    RUN_TARGETS,
    check_trust,
    foreign_target,
    plain,
    read_config,
    refusal,
    targets_of,
)
from reslag_vae.runs.differences import material_differences
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import CONFIG_FILE, RESULT_FILE, checkpoint_files, config_path
from reslag_vae.runs.migrations import SCHEMA

# What may differ in a resumed run: where and how long it runs, not what it is.
NO_LOGGER = "logger=none"
RESUMABLE = (
    "trainer.",
    "logger.",
    NO_LOGGER,
    "data.root=",
    "data.folder=",
    "trust=",
    "changed_data=",
)

# Without these there is no run to go on with.
PARTS = ("model", "data", "trainer", "callbacks")


def run_folder(resume: str | None, new: str) -> str:
    """Hydra's resolver for the run's folder: that of the run to resume, or a new one.

    Raises:
        SystemExit: there is no run to resume, or several processes would each have a folder of
            their own. Hydra and OmegaConf would wrap any other exception, raised this early, in a
            hundred lines of their own. Nothing is written.
    """
    if resume is None:
        if ranks.launched_processes() > 1:
            raise SystemExit(
                "Several processes train one run: name its folder by hydra.run.dir=runs/my_run."
            )
        return new
    try:
        config_path(Path(resume).expanduser())
    except RunError as error:
        raise SystemExit(str(error)) from None
    except OSError as error:
        raise SystemExit(f"{resume} cannot be read: {error.strerror}.") from None
    return resume


OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)


def of_job(config: DictConfig, folder: Path) -> DictConfig:
    """The configuration of Hydra's current job.

    Args:
        config: as composed.
        folder: of the job.

    Raises:
        RunError: a new run would be mixed with one that is in its folder already.
        ConfigError: an override would make a resumed run another one.
    """
    hydra = HydraConfig.get()
    if (
        hydra.mode == RunMode.MULTIRUN
        and several_devices(config)
        and ranks.launched_processes() == 1
    ):
        raise ConfigError(
            f"trainer.devices={config.trainer.devices}: a run of a multirun has one device, unless Slurm starts its "
            "processes (hydra/launcher=submitit_slurm hydra.launcher.tasks_per_node=2)."
        )
    if config.resume is not None:
        if hydra.mode == RunMode.MULTIRUN:
            raise ConfigError("resume= takes one run: leave out -m.")
        elsewhere = [own for own in hydra.overrides.hydra if own.startswith("hydra.run.dir=")]
        if elsewhere:
            raise ConfigError(
                f"{elsewhere[0]} cannot be set beside resume=: a run goes on in its own folder."
            )
        return resumed(folder, list(hydra.overrides.task), check_trust(plain(config.trust)))
    if config.study is not None:
        if config.logger and config.logger.group is None:
            config.logger.group = config.study
        return of_study(config, folder)
    if ranks.is_first():
        refuse_mixing(folder)
    if hydra.mode == RunMode.MULTIRUN and config.logger and config.logger.group is None:
        config.logger.group = Path(hydra.sweep.dir).name
    return config


def refuse_mixing(folder: Path) -> None:
    """Refuse to begin a run in a folder that holds one, or a part of one.

    Raises:
        RunError: it does.
    """
    if (folder / CONFIG_FILE).exists():
        again = override("resume", folder)
        raise RunError(
            f"{folder} holds a run already: go on with it by {again}, or choose another folder."
        )
    for path in (folder / RESULT_FILE, *checkpoint_files(folder)):
        if path.exists():
            raise RunError(f"{path} is of another run: choose another folder.")


def several_devices(config: DictConfig) -> bool:
    """Whether a run may have more devices than one: how many `auto` and `-1` are is known to its trainer alone."""
    devices = config.trainer.devices
    one = len(devices) == 1 if isinstance(devices, ListConfig) else str(devices) in ("1", "None")
    return not one or config.trainer.num_nodes != 1


def of_study(config: DictConfig, folder: Path) -> DictConfig:
    """The configuration of a run of a study: that with which it was begun, where it was interrupted.

    Raises:
        RunError: the folder holds a run with other settings.
    """
    check_same(config, folder)
    if not (folder / CONFIG_FILE).exists():
        return config
    # What the command names itself, such as a model of the user's own, it trusts.
    trust = {*check_trust(plain(config.trust)), *targets_of(plain(config))}
    begun = resumed(folder, [], tuple(trust))
    # Where it runs may be another place now.
    begun.logger, begun.data.root = config.logger, config.data.root
    begun.trust, begun.changed_data = config.trust, config.changed_data
    for name in ("accelerator", "devices", "num_nodes", "compile"):
        begun.trainer[name] = config.trainer[name]
    return begun


def check_same(config: DictConfig, folder: Path) -> None:
    """See to it that the folder holds no run with other settings.

    Args:
        config: composed.
        folder: of a run, which need not be there.

    Raises:
        RunError: it does, or its configuration is damaged; the message names the first option that
            differs.
    """
    wanted = final(config)
    if not (folder / CONFIG_FILE).exists():
        return
    begun = begun_config(folder)
    for name, was, asked in material_differences(
        OmegaConf.to_container(begun), OmegaConf.to_container(wanted)
    ):
        raise RunError(
            f"{folder} holds a run with {name}={was}, and {name}={asked} is asked for: a study keeps its settings. "
            "Choose another folder by hydra.sweep.dir=, or remove that one."
        )


def begun_config(folder: Path) -> DictConfig:
    """The configuration that the run in `folder` was started with, in today's form.

    Raises:
        RunError: it is missing, damaged, or not the configuration of a run.
    """
    tree = read_config(folder)
    for name in PARTS:
        if not isinstance(tree.get(name), dict):
            raise RunError(f"{folder / CONFIG_FILE} is damaged: it has no part `{name}`.")
    if type(tree.get("seed")) is not int:
        raise RunError(f"{folder / CONFIG_FILE} is damaged: its seed is {tree.get('seed')}.")
    return OmegaConf.create(tree)


def resumed(folder: Path, overrides: list[str], trust: tuple[str, ...] = ()) -> DictConfig:
    """The configuration that the run in `folder` was started with, and what may be changed of it.

    Args:
        folder: of the run.
        overrides: of the command line.
        trust: modules of the user's own, and names in them, that the run may be made of.

    Raises:
        RunError: the folder holds no run, or one that is made of other things than this package's
            parts.
        ConfigError: an override would make it another run, or is none of its options.
    """
    changes = [own.lstrip("+") for own in overrides if not own.startswith("resume=")]
    fixed = [change for change in changes if not change.startswith(RESUMABLE)]
    if fixed:
        raise ConfigError(
            f"{' '.join(fixed)} cannot be set beside resume=: a resumed run keeps its configuration. "
            "Only trainer.*, logger.*, logger=none, data.root, data.folder, changed_data and trust may change."
        )
    config = begun_config(folder)
    foreign = foreign_target(plain(config), RUN_MODULES, trust, RUN_TARGETS)
    if foreign is not None:
        raise RunError(f"{config_path(folder)} is not gone on with: {refusal(foreign)}")
    for own in overrides:
        merge(config, own)
    return config


def merge(config: DictConfig, argument: str) -> None:
    """Set one option of a resumed run; `+` before its name adds one that it does not have.

    Raises:
        ConfigError: it has no such option, or the value is none.
    """
    change = argument.lstrip("+")
    if change.startswith("resume="):
        return
    if change == NO_LOGGER:
        config.logger = None
        return
    OmegaConf.set_struct(config, change == argument)
    name, _, value = change.partition("=")
    try:
        config.merge_with_dotlist([change])
    except OmegaConfBaseException as error:
        if error.full_key and OmegaConf.select(config, name) is None:
            raise ConfigError(f"{name}: the run has no such option.") from None
        raise ConfigError(f"{name}={value}: {first_line(error)}") from None


def final(config: DictConfig) -> DictConfig:
    """Every option with its final value; the data are found from any working directory."""
    resolved = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    assert isinstance(resolved, DictConfig), "made of one"
    root, pictures = Path(resolved.data.root).expanduser(), resolved.data.get("folder")
    resolved.data.root = str(root.absolute())
    if pictures and Path(pictures).expanduser().is_dir():  # else it is in root
        resolved.data.folder = str(Path(pictures).expanduser().absolute())
    return resolved


def save(config: DictConfig, folder: Path) -> None:
    """config.yaml: of which schema it is, and every option with its final value."""
    text = f"schema: {SCHEMA}\n{OmegaConf.to_yaml(final(config))}"
    write_atomically(folder / CONFIG_FILE, text)
