"""The command that writes a trained model as files without code.

Usage: python -m reslag_vae.export runs/mnist/vae/2026-01-31_12-00-00 exported

The files are model.safetensors, config.json and README.md, a card that says what the model is and
how good; pictures.json, examples.png and scores.json, which `reslag apply` reads: how pictures are
fitted, some validation images, and how these score. `reslag_vae.load(folder)` loads the model.
"""

import argparse
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from reslag_vae._runtime.errors import UserError, printable, printable_lines
from reslag_vae._runtime.escape import markdown
from reslag_vae._runtime.files import UNFINISHED, remove_unfinished, write_atomically
from reslag_vae._runtime.invocation import invocation
from reslag_vae._runtime.terminal import prepare
from reslag_vae.runs.checkpoints import checkpoint_path, read_checkpoint
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import (
    CARD_FILE,
    MODEL_FILE,
    RESULT_FILE,
    TRAVELLING,
    WEIGHTS_FILE,
    read_result,
)
from reslag_vae.runs.migrations import SCHEMA

USE = """import reslag_vae

model = reslag_vae.load({folder})
codes = model.encode(images)  # (B, C, H, W) uint8, or floating point in [0, 1] -> (B, d)
model.decode(codes), model.reconstruct(images), model.sample(16)"""

FILES = (MODEL_FILE, CARD_FILE, *TRAVELLING, WEIGHTS_FILE)

# The most telling metrics, with their units
SHOWN = {
    "rec": "sum of squared errors of an image in [0, 1]",
    "kl": "nats per image",
    "elbo": "nats per image, with one global variance unless p(x|z) is a mass",
    "bits_per_dim": "bits of the ELBO",
    "sigma2": "likelihood variance",
}


def export(
    run: str | Path, out: str | Path, which: str = "best", trust: Collection[str] = ()
) -> None:
    """Write a run's model into a new folder.

    Args:
        run: folder of the run.
        out: the new folder. It may exist if it is empty, or holds only what an interrupted export
            has left.
        which: checkpoint of the run, `best` or `last`.
        trust: modules of the user's own that the model may be made of.

    Raises:
        RunError: the run has no such checkpoint, the checkpoint is damaged or not one of this
            package, or the new folder holds something.
        WriteError: the folder cannot be written.
    """
    from safetensors.torch import save

    from reslag_vae.models.card import objective_card
    from reslag_vae.runs.build import TrainedParts
    from reslag_vae.runs.load import read_run
    from reslag_vae.runs.picture_format import carry

    read, out = read_run(run, which, trust), Path(out)
    if out.exists() and (not out.is_dir() or not is_interrupted(out)):
        raise RunError(f"{out} is there already, and not an empty folder.")
    parts = TrainedParts(read.model, read.objective)
    state = {name: value.contiguous() for name, value in parts.state_dict().items()}
    # As `read_run` has found it: of our own classes alone.
    model = read_checkpoint(checkpoint_path(read.folder, which))["hyper_parameters"]["model"]
    result = read_result(read.folder)
    if result.get("epoch") != read.epoch:
        # They are the numbers of other weights, or the run has not finished.
        result = {name: value for name, value in result.items() if name not in ("val", "test")}
    text = model_card(
        read.title,
        objective_card(read.variant.name, read.model, read.objective),
        result,
        read.epoch,
        out.name,
    )
    remove_unfinished(out, FILES)
    write_atomically(
        out / MODEL_FILE, json.dumps({"schema": SCHEMA, "model": model}, indent=2) + "\n"
    )
    write_atomically(out / CARD_FILE, text)
    carry(read.folder, out)
    # Last: an export whose weights are there is whole.
    write_atomically(out / WEIGHTS_FILE, save(state, {"format": "pt"}))


def is_interrupted(folder: Path) -> bool:
    """Return whether a folder holds nothing but what an interrupted export has left."""
    names = {path.name for path in folder.iterdir() if not path.name.endswith(UNFINISHED)}
    return WEIGHTS_FILE not in names and names <= set(FILES)


def model_card(
    title: str, lines: dict[str, str], result: dict[str, Any], epoch: int, folder: str
) -> str:
    """Return the model card: Markdown, with the head that model hubs read.

    Args:
        title: title of the model.
        lines: lines of the model's objective card, label -> text.
        result: content of the run's metrics.json, without `val` and `test` if these are numbers of
            other weights.
        epoch: epoch of the weights.
        folder: name of the export's folder.
    """
    facts: dict[str, Any] = {
        name: result[name]
        for name in ("data", "seed", "commit", "device", "precision")
        if name in result
    }
    facts |= {"epoch": epoch} | named_values(result, "versions")
    parts = [
        "---\nlibrary_name: reslag_vae\ntags:\n- variational-autoencoder\n---",
        f"# {markdown(title)}"
        + (f" on {markdown(str(result['data']))}" if "data" in result else ""),
        "\n".join(f"- **{markdown(label)}**: {markdown(text)}" for label, text in lines.items()),
        "## Use",
        f"```python\n{USE.format(folder=ascii(folder))}\n```",
        "## Numbers",
        metrics_table(result) if "test" in result else "These weights were not measured.",
        "## Training",
        "\n".join(
            f"- {markdown(str(name))}: {markdown(str(value))}" for name, value in facts.items()
        ),
    ]
    return "\n\n".join(parts) + "\n"


def metrics_table(result: dict[str, Any]) -> str:
    """Return a Markdown table of the metrics of the validation and test splits.

    Raises:
        RunError: a metric is not a number.
    """
    lines = ["| | val | test | |", "| --- | ---: | ---: | --- |"]
    for name, unit in SHOWN.items():
        cells = [
            metric_text(split, name, named_values(result, split).get(name))
            for split in ("val", "test")
        ]
        lines.append(f"| {name} | {cells[0]} | {cells[1]} | {unit} |")
    return "\n".join(lines)


def named_values(result: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the names and values under a name of metrics.json; none if the name is missing.

    Raises:
        RunError: the name holds something else.
    """
    found = result.get(name, {})
    if not isinstance(found, dict):
        raise RunError(f"{RESULT_FILE} is damaged: its {name} are no names and values.")
    return found


def metric_text(split: str, name: str, value: object) -> str:
    """Return a metric with five digits, or a dash if the variant does not have it.

    Raises:
        RunError: the metric is not a number.
    """
    if value is None:
        return "-"
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise RunError(f"{RESULT_FILE} is damaged: its {split}.{name} is no number.")
    return f"{value:.5g}"


def main() -> None:
    """Export the run that the command line names."""
    prepare()
    parser = argparse.ArgumentParser(
        prog=invocation("export"), description="A trained model without its run."
    )
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument(
        "--checkpoint", choices=("best", "last"), default="best", help="(default: %(default)s)"
    )
    parser.add_argument(
        "--trust",
        nargs="*",
        default=[],
        metavar="MODULE",
        help="your own, that the model is made of",
    )
    options = parser.parse_args()
    try:
        export(options.run, options.out, options.checkpoint, options.trust)
    except UserError as error:
        parser.exit(1, f"{printable_lines(str(error))}\n")
    print(printable(str(options.out)))


if __name__ == "__main__":
    main()
