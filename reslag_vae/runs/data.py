"""The data of a run, from a composed configuration or from a finished run's folder."""

from collections.abc import Collection
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from reslag_vae._runtime.errors import ConfigError, UserError, first_line, printable
from reslag_vae.data import ImageDataModule
from reslag_vae.data.base import SPLIT_NAMES
from reslag_vae.data.download import no_download
from reslag_vae.data.errors import NotThereError
from reslag_vae.models import GenerativeModel
from reslag_vae.runs.build import instantiate
from reslag_vae.runs.config import (
    DATA_MODULES,
    check_trust,
    foreign_target,
    load_config,
    point_to_own_images,
    refusal,
)
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import config_path


def build_data(
    config: DictConfig, model: GenerativeModel, data: ImageDataModule | None = None
) -> ImageDataModule:
    """Return the data module of a resolved configuration.

    Args:
        config: configuration of the run.
        model: model of the run.
        data: the data module, if there is one already; None builds it.

    Raises:
        ValueError: its images are not of the shape that the network is built for.
    """
    data = instantiate(config.data) if data is None else data
    if not isinstance(data, ImageDataModule):
        raise ValueError(f"data._target_={config.data.get('_target_')}: is not a data module.")
    if tuple(data.image_shape) != model.image_shape:
        shape = ",".join(map(str, data.image_shape))
        raise ValueError(
            f"The network is built for images of {model.image_shape}, and data={data.name} has "
            f"{tuple(data.image_shape)}: recipe.image_shape=[{shape}], or, of a network that was "
            "made by hand, one for these."
        )
    return data


def load_data(
    folder: str | Path,
    root: str | Path | None = None,
    pictures: str | Path | None = None,
    trust: Collection[str] = (),
) -> ImageDataModule:
    """Load the data that a run was trained on, with the same splits; nothing is downloaded.

    Args:
        folder: folder of the run.
        root: folder of all data sets, if it has moved.
        pictures: folder of the pictures, if it has moved.
        trust: modules of the user's own that the data may be made of.

    Raises:
        RunError: the run's configuration is missing, damaged or not one of this package, or its
            data are not where it says.
        ConfigError: the data have no folder of pictures.
        DataError: a file of the data is missing or damaged.
    """
    path, config = config_path(Path(folder)), load_config(folder)
    tree = OmegaConf.to_container(config)
    node = tree["data"] if isinstance(tree, dict) else None
    if not isinstance(node, dict) or "_target_" not in node:
        raise RunError(f"{path}: its data are none of this package's data modules.")
    foreign = foreign_target(node, DATA_MODULES, check_trust(trust))
    if foreign is not None:
        raise RunError(
            f"{path}: its data are none of this package's data modules: {refusal(foreign)}"
        )
    if pictures is not None and "folder" not in node:
        raise ConfigError(
            f"folder={pictures}: the data of {folder} have no folder of pictures; name their root."
        )
    point_to_own_images(node, Path(folder))
    moved = {"root": root, "folder": pictures}
    node |= {
        name: str(Path(place).expanduser()) for name, place in moved.items() if place is not None
    }
    try:
        data = instantiate(OmegaConf.create(node))
    except UserError:
        raise
    except Exception as error:  # a foreign configuration fails in any constructor, in any way
        raise RunError(f"{path}: its data module cannot be built: {first_line(error)}") from None
    if not isinstance(data, ImageDataModule):
        raise RunError(f"{path}: its data are none of this package's data modules.")
    if data.needs_root and not data.root.is_dir():
        raise RunError(
            f"{path}: the folder of its data, {data.root}, is not here. Name it by root=."
        )
    try:
        with no_download():
            data.setup()
    except NotThereError as error:
        raise RunError(
            f"{path}: its data are not there: {error}. Name the folder of all data sets by root=."
        ) from None
    condition = OmegaConf.select(config, "model.model.condition")
    if condition is not None:
        tell_condition(data, condition)
    return data


def tell_condition(data: ImageDataModule, condition: DictConfig) -> list[str]:
    """Let data tell a conditional model of their images, and return the names of what they tell.

    Args:
        data: data that are read.
        condition: node of the model's condition; names of its own are those of some attributes, or
            of all classes.

    Raises:
        ConfigError: the data have no such classes or attributes, or not of every image, or a
            single class.
    """
    asked = condition.get("names")
    if condition.kind == "attributes":
        return data.tell_attributes(None if asked is None else list(asked))
    names = data.class_names
    if len(names) == 1:
        raise ConfigError(
            f"condition=label: all images of data={data.name} are of one class, "
            f"{printable(names[0])}, which tells a model nothing; leave out condition=label, or "
            "give two classes at least: in a folder each is a subfolder of pictures."
        )
    if not names or any((data.split(own).labels < 0).any() for own in SPLIT_NAMES):
        raise ConfigError(
            f"condition=label: data={data.name} has no class for each of its images; give data of "
            "two classes at least, such as data=fashion_mnist, or a folder with a subfolder for "
            "each class."
        )
    strange = [name for name in names if "${" in name]
    if strange:
        raise ConfigError(
            f"condition=label: the class {printable(strange[0])} has ${{ in its name, which a "
            "configuration reads as a reference; rename it."
        )
    if asked is not None and list(asked) != names:
        raise ConfigError(
            f"condition.names={list(asked)}: are not the classes of the data, {', '.join(names)}."
        )
    return names
