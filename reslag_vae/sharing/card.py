"""The model card: Markdown, with the head that model hubs read."""

import json
from typing import Any, NamedTuple

from reslag_vae._runtime.escape import markdown
from reslag_vae.models import Condition
from reslag_vae.runs.exported import RECONSTRUCTIONS_FILE, SAMPLES_FILE, use_of
from reslag_vae.runs.folder import EVALUATION_FILE, EXAMPLES_FILE
from reslag_vae.sharing.intended_use import limits, purpose
from reslag_vae.sharing.licences import HUB_LICENCES
from reslag_vae.sharing.numbers import evaluation_table, metrics_table, named_values, shown_metrics
from reslag_vae.sharing.verdict import verdict

# Data sets of this package by their names on the hub
HUB_DATA = {
    "mnist": "ylecun/mnist",
    "fashion_mnist": "zalando-datasets/fashion_mnist",
    "cifar10": "uoft-cs/cifar10",
    "cifar100": "uoft-cs/cifar100",
}


class Facts(NamedTuple):
    """What a card says of a model.

    Attributes:
        title: title of the model.
        variant: name of the variant, as in `model=<name>`.
        objective: lines of the model's objective card, label -> text.
        result: content of the run's metrics.json, without `val` and `test` if these are numbers of
            other weights.
        evaluation: content of the run's evaluation.json; empty if there is none of these weights.
        epoch: epoch of the weights.
        updates: number of the decoder's updates; None if it is not known.
        folder: name of the export's folder.
        image_shape: (C, H, W) of the images.
        latent_dim: number of latent dimensions.
        condition: what the model is told of an image; None unless it is conditional.
        has_mean: whether decoded images are means of p(x|z); else they are samples.
        licence: name of the licence; None if none is stated.
        pictures: names of the card's pictures.
        examples: whether examples.png is in the export.
        onnx: Markdown on the model's ONNX graphs; empty if there are none.
    """

    title: str
    variant: str
    objective: dict[str, str]
    result: dict[str, Any]
    evaluation: dict[str, Any]
    epoch: int
    updates: int | None
    folder: str
    image_shape: tuple[int, int, int]
    latent_dim: int
    has_mean: bool
    condition: Condition | None = None
    licence: str | None = None
    pictures: tuple[str, ...] = ()
    examples: bool = False
    onnx: str = ""


def model_card(facts: Facts) -> str:
    """Return the card.

    Raises:
        RunError: metrics.json or evaluation.json holds other than what is written there.
    """
    result, data = facts.result, facts.result.get("data")
    judged = verdict(facts.result, facts.evaluation, facts.latent_dim, facts.updates)
    use = purpose(result, facts.image_shape, facts.latent_dim)
    parts = [
        head(facts),
        f"# {markdown(facts.title)}" + (f" on {markdown(str(data))}" if data is not None else ""),
        "\n".join(
            f"- **{markdown(label)}**: {markdown(text)}" for label, text in facts.objective.items()
        ),
        "## Use",
        f"```python\n{use_of(facts.folder, facts.condition)}\n```",
        *(["## ONNX", facts.onnx] if facts.onnx else []),
        *pictures(facts),
        "## Numbers",
        metrics_table(result) if "test" in result else "These weights were not measured.",
        *evaluated(facts.evaluation),
        "## Training",
        "\n".join(
            f"- {markdown(str(name))}: {markdown(str(value))}"
            for name, value in training(facts).items()
        ),
        "## Intended use",
        markdown(use),
        "## Limits",
        "\n".join(f"- {markdown(line)}" for line in limits(result, judged, facts.has_mean)),
        "## Licence",
        markdown(facts.licence or "not stated"),
    ]
    return "\n\n".join(parts) + "\n"


def head(facts: Facts) -> str:
    """Return the YAML that model hubs read."""
    lines = ["---", "library_name: reslag_vae"]
    known = (facts.licence or "").lower()
    if known in HUB_LICENCES:
        lines.append(f"license: {known}")
    elif known:
        lines += ["license: other", f"license_name: {json.dumps(known)}"]
    lines += ["tags:", "- variational-autoencoder", "- pytorch", f"- {json.dumps(facts.variant)}"]
    data = HUB_DATA.get(str(facts.result.get("data")))
    if data is not None:
        lines += ["datasets:", f"- {data}"]
    metrics = shown_metrics(facts.result)
    if metrics:
        lines += ["metrics:", *(f"- {name}" for name in metrics)]
    return "\n".join([*lines, "---"])


def pictures(facts: Facts) -> list[str]:
    """Return the section of pictures, with what they show of the data."""
    parts = []
    if RECONSTRUCTIONS_FILE in facts.pictures:
        below = "the mean" if facts.has_mean else "a sample"
        text = f"Above, validation images; below, {below} of p(x|z) at their codes."
        parts += [f"![Reconstructions]({RECONSTRUCTIONS_FILE})", text]
    if SAMPLES_FILE in facts.pictures:
        parts += [f"![Samples]({SAMPLES_FILE})", "Samples of the prior, not chosen."]
    shown = [EXAMPLES_FILE] if facts.examples else []
    shown += [RECONSTRUCTIONS_FILE] if RECONSTRUCTIONS_FILE in facts.pictures else []
    parts.append(
        f"Images of the validation data are in {' and '.join(shown)}."
        if shown
        else "No image of the data is in these files."
    )
    return ["## Pictures", *parts]


def evaluated(evaluation: dict[str, Any]) -> list[str]:
    """Return the table of an evaluation, with how it was made; nothing without one."""
    if not evaluation:
        return []
    settings = named_values(evaluation, "settings", EVALUATION_FILE)
    made = settings | {"commit": evaluation.get("commit")}
    names = ("split", "samples", "seed", "commit")
    how = ", ".join(f"{name} {made[name]}" for name in names if made.get(name) is not None)
    return [f"Evaluated: {markdown(how)}.", evaluation_table(evaluation)]


def training(facts: Facts) -> dict[str, Any]:
    """Return what is known of the training, by name."""
    result = facts.result
    known: dict[str, Any] = {
        name: result[name]
        for name in ("data", "seed", "commit", "device", "precision")
        if name in result
    }
    counts = named_values(result, "images")
    if counts:
        known["images"] = ", ".join(f"{name} {count}" for name, count in counts.items())
    known |= {"epoch": facts.epoch}
    if "epochs_run" in result:
        known["epoch"] = f"{facts.epoch} of {result['epochs_run']} that were run"
    if facts.updates is not None:
        known["updates of the decoder"] = facts.updates
    return known | named_values(result, "versions")
