"""The files of an export, and how they are loaded."""

from pathlib import Path
from typing import TYPE_CHECKING

from reslag_vae._runtime.files import UNFINISHED
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import CARD_FILE, MODEL_FILE, SAMPLERS_FILE, TRAVELLING, WEIGHTS_FILE

if TYPE_CHECKING:
    from reslag_vae.models import Condition

# Pictures of the card
RECONSTRUCTIONS_FILE = "reconstructions.png"
SAMPLES_FILE = "samples.png"

# Encoder and decoder for other programs, if they are asked for
ENCODER_FILE = "encoder.onnx"
DECODER_FILE = "decoder.onnx"

# What loads and applies a model
LOADED = (MODEL_FILE, WEIGHTS_FILE, *TRAVELLING, SAMPLERS_FILE)

# What an export holds, or may hold
FILES = (
    *LOADED,
    CARD_FILE,
    RECONSTRUCTIONS_FILE,
    SAMPLES_FILE,
    ENCODER_FILE,
    DECODER_FILE,
)

USE = """import reslag_vae

model = reslag_vae.load({folder}){told}
codes = model.encode(images)  # (B, C, H, W) uint8, or floating point in [0, 1] -> (B, d)
model.decode(codes), model.reconstruct(images), model.sample(16)"""


def use_of(folder: str, condition: "Condition | None") -> str:
    """Return the Python lines that use an export.

    Args:
        folder: name of its folder.
        condition: what its model is told of an image; None unless it is conditional.
    """
    told = ""
    if condition is not None and condition.kind == "label":
        told = f"\nmodel = model.given({condition.names[0]!r})  # or a list, one for each image"
    elif condition is not None:
        told = f"\nmodel = model.given({{{condition.names[0]!r}: True}})  # of all attributes"
    return USE.format(folder=repr(folder), told=told)


def is_export(folder: Path) -> bool:
    """Return whether a folder is a whole export: its weights are written last."""
    return (folder / WEIGHTS_FILE).is_file() and (folder / MODEL_FILE).is_file()


def refuse_other_files(folder: Path) -> None:
    """Refuse a folder of an export that holds anything but what an interrupted one has left.

    Raises:
        RunError: it does.
    """
    if folder.exists() and (not folder.is_dir() or not is_interrupted(folder)):
        raise RunError(f"{folder} is there already, and not an empty folder.")


def is_interrupted(folder: Path) -> bool:
    """Return whether a folder holds nothing but what an interrupted export has left."""
    names = {path.name for path in folder.iterdir() if not path.name.endswith(UNFINISHED)}
    return WEIGHTS_FILE not in names and names <= set(FILES)
