"""The help of the commands whose configuration Hydra composes.

Hydra's own help composes the configuration anew for each of its groups, which takes longer than all
the rest.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig, OmegaConf, open_dict

from reslag_vae._runtime.invocation import configuration_folder
from reslag_vae._runtime.terminal import quoted


def help_text(name: str, arguments: Sequence[str]) -> str:
    """Return the help of a command: examples, groups with their choices, and every option.

    Args:
        name: name of the command's configuration, `train` or `evaluate`.
        arguments: arguments of the command; the options have the values that it would run with.

    Raises:
        HydraException: the configuration cannot be composed with these arguments.
    """
    given = get_args_parser().parse_args(list(arguments))
    overrides = list(given.overrides)
    if given.config_dir is not None:
        own = f"file://{Path(given.config_dir).absolute()}"
        overrides.append(f"hydra.searchpath=[{quoted(own)}]")
    with initialize_config_dir(str(configuration_folder()), version_base="1.3"):
        config = compose(given.config_name or name, overrides, return_hydra_config=True)
    folders = [configuration_folder(), *searched(config)]
    groups = "\n".join(f"{group}: {', '.join(names)}" for group, names in choices(folders))
    template = Template(str(config.hydra.help.template))
    return template.substitute(APP_CONFIG_GROUPS=groups + "\n", CONFIG=options(config))


def searched(config: DictConfig) -> list[Path]:
    """Return the folders that a composed configuration names in hydra.searchpath."""
    places = map(str, config.hydra.searchpath or [])
    return [Path(own.removeprefix("file://")) for own in places if not own.startswith("pkg://")]


def choices(folders: Sequence[Path]) -> Iterator[tuple[str, list[str]]]:
    """Yield the groups in these folders, each with the names of its files."""
    groups = {path.parent.name for folder in folders for path in folder.glob("*/*.yaml")}
    for group in sorted(groups - {"hydra"}):
        names = {path.stem for folder in folders for path in (folder / group).glob("*.yaml")}
        yield group, sorted(names)


def options(config: DictConfig) -> str:
    """Return the options of a configuration with their values, as YAML."""
    with open_dict(config):
        del config["hydra"]
    return OmegaConf.to_yaml(config)
