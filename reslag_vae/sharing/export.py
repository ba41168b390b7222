"""A run's model as a folder of files without code, which `reslag_vae.load` reads."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from reslag_vae._runtime.files import remove_unfinished, write_atomically
from reslag_vae.runs.checkpoints import checkpoint_path, read_checkpoint
from reslag_vae.runs.exported import FILES, refuse_other_files
from reslag_vae.runs.folder import (
    CARD_FILE,
    EXAMPLES_FILE,
    MODEL_FILE,
    WEIGHTS_FILE,
    evaluation_file,
    read_result,
)
from reslag_vae.runs.formats import read_json
from reslag_vae.runs.load import Run, read_run
from reslag_vae.runs.migrations import SCHEMA
from reslag_vae.runs.picture_format import travelling
from reslag_vae.sharing.card import Facts, model_card
from reslag_vae.sharing.card_pictures import Drawn, draw, drawn_files
from reslag_vae.sharing.graphs import Graphs, described, graphs_of


class Choices(NamedTuple):
    """What an export holds beside the model.

    Attributes:
        licence: name of the licence; None if none is stated.
        examples: whether some validation images travel with the model.
        onnx: whether encoder and decoder are written as ONNX, too.
    """

    licence: str | None = None
    examples: bool = True
    onnx: bool = False


USUAL = Choices()


def export(
    run: str | Path,
    out: str | Path,
    which: str = "best",
    trust: Collection[str] = (),
    choices: Choices = USUAL,
) -> Graphs | None:
    """Write a run's model into a new folder.

    Args:
        run: folder of the run.
        out: the new folder. It may exist if it is empty, or holds only what an interrupted export
            has left.
        which: checkpoint of the run, `best` or `last`.
        trust: modules of the user's own that the model may be made of.
        choices: what the export holds beside the model.

    Returns:
        encoder and decoder as ONNX, if they were asked for.

    Raises:
        RunError: the run has no such checkpoint, a file of it is damaged or not one of this
            package, or the new folder holds something.
        UserError: the model cannot be written as ONNX; the message says why.
        WriteError: the folder cannot be written.
    """
    read, out = read_run(run, which, trust), Path(out)
    refuse_other_files(out)
    graphs = graphs_of(read.model) if choices.onnx else None
    drawn = draw(read, choices.examples)
    text = model_card(facts_of(read, drawn, graphs, choices, out.name))
    model, state = model_node(read), weights(read)
    more = drawn_files(drawn) | travelling(read.folder, choices.examples)
    if graphs is not None:
        more |= graphs.files
    # From here on nothing is refused: all of the run is read before anything is written.
    remove_unfinished(out, FILES)
    for name in FILES:
        (out / name).unlink(missing_ok=True)  # of an interrupted export with other choices
    write_atomically(
        out / MODEL_FILE, json.dumps({"schema": SCHEMA, "model": model}, indent=2) + "\n"
    )
    write_atomically(out / CARD_FILE, text)
    for name, content in more.items():
        write_atomically(out / name, content)
    # Last: an export whose weights are there is whole.
    write_atomically(out / WEIGHTS_FILE, state)
    return graphs


def weights(read: Run) -> bytes:
    """Return the weights of a run's model and objective in the format of safetensors."""
    from safetensors.torch import save

    from reslag_vae.runs.build import TrainedParts

    parts = TrainedParts(read.model, read.objective)
    state = {name: value.contiguous() for name, value in parts.state_dict().items()}
    return bytes(save(state, {"format": "pt"}))


def model_node(read: Run) -> dict[str, Any]:
    """Return the variant's node in a run's checkpoint, as `read_run` has found it: of our own."""
    checkpoint = read_checkpoint(checkpoint_path(read.folder, read.checkpoint))
    node: dict[str, Any] = checkpoint["hyper_parameters"]["model"]
    return node


def facts_of(
    read: Run, drawn: Drawn, graphs: Graphs | None, choices: Choices, folder: str
) -> Facts:
    """Return what the card of a run's export says.

    Args:
        read: the run.
        drawn: the card's pictures.
        graphs: encoder and decoder as ONNX; None if they are not exported.
        choices: what the export holds.
        folder: name of the export's folder.

    Raises:
        RunError: metrics.json or evaluation.json is damaged.
    """
    from reslag_vae.models.card import objective_card

    result = read_result(read.folder)
    if result.get("epoch") != read.epoch:
        # They are the numbers of other weights, or the run has not finished.
        result = {name: value for name, value in result.items() if name not in ("val", "test")}
    evaluation = read_json(evaluation_file(read.folder, "test", read.checkpoint))
    if evaluation.get("epoch") != read.epoch:
        evaluation = {}
    has_examples = choices.examples and (read.folder / EXAMPLES_FILE).is_file()
    return Facts(
        title=read.title,
        variant=read.variant.name,
        objective=objective_card(read.variant.name, read.model, read.objective),
        result=result,
        evaluation=evaluation,
        epoch=read.epoch,
        updates=read.updates,
        folder=folder,
        image_shape=read.model.image_shape,
        latent_dim=read.model.latent_dim,
        has_mean=read.model.likelihood.has_mean,
        condition=read.model.condition,
        licence=choices.licence,
        pictures=tuple(drawn_files(drawn)),
        examples=has_examples,
        onnx=""
        if graphs is None
        else described(graphs, read.model.image_shape, read.model.likelihood.binary),
    )
