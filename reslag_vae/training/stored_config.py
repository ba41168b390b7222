"""The configuration in a run's folder, as it is written and read."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from reslag_vae._runtime.files import write_atomically
from reslag_vae.runs.config import point_to_own_images, read_config
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import CONFIG_FILE
from reslag_vae.runs.migrations import SCHEMA

# Parts of a configuration without which no run can be resumed.
PARTS = ("model", "data", "trainer", "callbacks")


def final_config(config: DictConfig) -> DictConfig:
    """Return a configuration with the final value of every option.

    The folders and files of the data are absolute, so they are found from any working directory.
    """
    resolved = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    assert isinstance(resolved, DictConfig), "made of one"
    root, pictures = Path(resolved.data.root).expanduser(), resolved.data.get("folder")
    resolved.data.root = str(root.absolute())
    if pictures and Path(pictures).expanduser().exists():  # else it is in root
        resolved.data.folder = str(Path(pictures).expanduser().absolute())
    return resolved


def save_config(config: DictConfig, folder: Path) -> None:
    """Write config.yaml into a run's folder: its schema, and the final value of every option."""
    text = f"schema: {SCHEMA}\n{OmegaConf.to_yaml(final_config(config))}"
    write_atomically(folder / CONFIG_FILE, text)


def begun_config(folder: Path) -> DictConfig:
    """Return the configuration that a run was begun with, in the form of today's schema.

    Args:
        folder: folder of the run.

    Raises:
        RunError: the file is missing, damaged, or not the configuration of a run.
    """
    tree = read_config(folder)
    for name in PARTS:
        if not isinstance(tree.get(name), dict):
            raise RunError(f"{folder / CONFIG_FILE} is damaged: it has no part `{name}`.")
    if type(tree.get("seed")) is not int:
        raise RunError(f"{folder / CONFIG_FILE} is damaged: its seed is {tree.get('seed')}.")
    point_to_own_images(tree["data"], folder)
    return OmegaConf.create(tree)
