"""The configuration of a study's run, which may have been begun and interrupted before."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from reslag_vae import options
from reslag_vae._runtime.errors import ConfigError, config_errors
from reslag_vae.options.length import as_begun, is_open
from reslag_vae.runs.config import check_trust, plain, targets_of
from reslag_vae.runs.differences import material_differences
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import CONFIG_FILE
from reslag_vae.training.resume import resumed
from reslag_vae.training.stored_config import begun_config, final_config


def study_config(config: DictConfig, folder: Path) -> DictConfig:
    """Return the configuration of a study's run; of an interrupted one, the one it was begun with.

    Args:
        config: configuration that Hydra has composed.
        folder: folder of the run.

    Raises:
        RunError: the folder holds a run with other settings.
    """
    check_same_settings(config, folder)
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


def check_run(config: DictConfig, folder: Path) -> None:
    """Refuse a run of a study that would be refused once it is started, as far as that is known.

    What depends on the data, or on the model as a whole, is found when the run is started.

    Args:
        config: configuration that Hydra has composed.
        folder: folder of the run, which need not be there.

    Raises:
        ConfigError: an option is wrong; the message names the run.
        RunError: the folder holds a run with other settings.
    """
    check_same_settings(config, folder)
    if (folder / CONFIG_FILE).exists():
        return
    try:
        options.check(config)
        if not is_open(config):
            check_lengths(config)
    except ConfigError as error:
        raise ConfigError(f"{folder.parent.name}/{folder.name}: {error}") from None


def check_lengths(config: DictConfig) -> None:
    """Refuse a run that ends before its schedule or its objective does.

    Raises:
        ConfigError: the run is too short; the message says how long it must be.
    """
    from reslag_vae.runs.build import instantiate

    with config_errors():
        for part in (config.model.get("schedule"), config.model.get("objective")):
            if part is not None:
                instantiate(part).check_length(config.trainer.max_epochs)


def check_same_settings(config: DictConfig, folder: Path) -> None:
    """Refuse a folder that holds a run with other settings than those asked for.

    Args:
        config: configuration that Hydra has composed.
        folder: folder of a run, which need not be there.

    Raises:
        RunError: a setting differs, and the message names the first such option; or the folder's
            configuration is damaged.
    """
    if not (folder / CONFIG_FILE).exists():
        final_config(config)  # an option that has no value is told
        return
    begun = begun_config(folder)
    wanted = final_config(as_begun(config, begun))
    for name, was, asked in material_differences(
        OmegaConf.to_container(begun), OmegaConf.to_container(wanted)
    ):
        raise RunError(
            f"{folder} holds a run with {name}={was}, and {name}={asked} is asked for: a study "
            "keeps its settings. Choose another folder by hydra.sweep.dir=, or remove that one."
        )
