"""The tables of numbers on a model card."""

from typing import Any

from reslag_vae._runtime.escape import markdown
from reslag_vae.evaluation.selection import GROUPS, Shown
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import EVALUATION_FILE, RESULT_FILE

# The most telling metrics, with their units
SHOWN = {
    "rec": "sum of squared errors of an image in [0, 1]",
    "kl": "nats per image",
    "elbo": "nats per image, with one global variance unless p(x|z) is a mass",
    "bits_per_dim": "bits of the ELBO",
    "sigma2": "likelihood variance",
}


def metrics_table(result: dict[str, Any]) -> str:
    """Return a Markdown table of the metrics of the validation and test splits.

    Raises:
        RunError: a metric is not a number.
    """
    lines = ["| | val | test | |", "| --- | ---: | ---: | --- |"]
    for name, unit in SHOWN.items():
        cells = [
            metric_text(f"{split}.{name}", named_values(result, split).get(name))
            for split in ("val", "test")
        ]
        lines.append(f"| {name} | {cells[0]} | {cells[1]} | {markdown(unit)} |")
    return "\n".join(lines)


def shown_metrics(result: dict[str, Any]) -> list[str]:
    """Return the names of the metrics of the test split that the table shows.

    Raises:
        RunError: metrics.json is damaged.
    """
    found = named_values(result, "test")
    return [name for name in SHOWN if found.get(name) is not None]


def evaluation_table(evaluation: dict[str, Any]) -> str:
    """Return a Markdown table of the most telling numbers of an evaluation.

    Raises:
        RunError: evaluation.json is damaged.
    """
    lines = ["| | | |", "| --- | ---: | --- |"]
    for group, rows in GROUPS.items():
        found = [(own, evaluated_text(evaluation, own)) for own in rows]
        lines += [
            f"| {markdown(group.partition(',')[0])}: {markdown(own.label)} | {text} | "
            f"{markdown(own.meaning)} |"
            for own, text in found
            if text
        ]
    return "\n".join(lines)


def evaluated_text(evaluation: dict[str, Any], shown: Shown) -> str:
    """Return a number of an evaluation with its standard error; empty if there is none.

    Raises:
        RunError: evaluation.json is damaged.
    """
    groups = named_values(evaluation, "numbers", EVALUATION_FILE)
    group = named_values(groups, shown.group, EVALUATION_FILE)
    number = named_values(group, shown.name, EVALUATION_FILE)
    if number.get("value") is None:
        return ""
    name = f"{shown.group}.{shown.name}"
    value = metric_text(name, number["value"], EVALUATION_FILE)
    if number.get("error") is None:
        return value
    return f"{value} ± {metric_text(name, number['error'], EVALUATION_FILE)}"


def named_values(content: dict[str, Any], name: str, file: str = RESULT_FILE) -> dict[str, Any]:
    """Return the names and values under a name of a file; none if the name is missing.

    Raises:
        RunError: the name holds something else.
    """
    found = content.get(name, {})
    if not isinstance(found, dict):
        raise RunError(f"{file} is damaged: its {name} are no names and values.")
    return found


def metric_text(name: str, value: object, file: str = RESULT_FILE) -> str:
    """Return a metric with five digits, or a dash if the variant does not have it.

    Raises:
        RunError: the metric is not a number.
    """
    if value is None:
        return "-"
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise RunError(f"{file} is damaged: its {name} is no number.")
    return f"{value:.5g}"
