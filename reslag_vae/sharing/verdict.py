"""The verdict on a model's latent, by the numbers that are at hand."""

from typing import Any

from reslag_vae.latents.verdicts import SILENT, reservation, verdict_on
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import EVALUATION_FILE
from reslag_vae.sharing.numbers import metric_text, named_values


def verdict(
    result: dict[str, Any], evaluation: dict[str, Any], latent_dim: int, updates: int | None
) -> str:
    """Return a plain sentence that says whether the latent has collapsed; empty if it is not known.

    It is that of the evaluation if there is one.

    Args:
        result: content of metrics.json.
        evaluation: content of evaluation.json; empty if there is none.
        latent_dim: number of latent dimensions.
        updates: number of the decoder's updates; None if it is not known.

    Raises:
        RunError: a file is damaged.
    """
    if evaluation.get("verdict") is not None:
        return sentence_of(evaluation)
    metrics = named_values(result, "test")
    said = by_codes(metrics) or by_units(metrics, latent_dim)
    if not said:
        return ""
    lacking = "" if updates is None else reservation(updates)
    return f"{said}{lacking}; test split"


def sentence_of(evaluation: dict[str, Any]) -> str:
    """Return the sentence of an evaluation's verdict.

    Raises:
        RunError: evaluation.json is damaged.
    """
    found = named_values(evaluation, "verdict", EVALUATION_FILE).get("sentence")
    if not isinstance(found, str):
        raise RunError(f"{EVALUATION_FILE} is damaged: its verdict has no sentence.")
    return found


def by_codes(metrics: dict[str, Any]) -> str:
    """Return what metrics say of the use of codes, level by level; empty without codes.

    Raises:
        RunError: metrics.json is damaged.
    """
    texts = []
    for name, value in metrics.items():
        if "codes_used" in name:
            texts.append(f"{metric_text(f'test.{name}', value)} {name.replace('_', ' ')}")
        elif "perplexity" in name:
            texts.append(f"{name.replace('_', ' ')} {metric_text(f'test.{name}', value)}")
    return ", ".join(texts)


def by_units(metrics: dict[str, Any], latent_dim: int) -> str:
    """Return the verdict by the active units of a split; empty without them."""
    if metrics.get("active_units") is None or not latent_dim:
        return ""
    active = int(float(metric_text("test.active_units", metrics["active_units"])))
    kl = metric_text("test.kl", metrics.get("kl"))
    numbers = f"{active} of {latent_dim} units active, KL {kl} nats"
    silent = latent_dim if kl != "-" and float(kl) < SILENT else 0
    return verdict_on(active, latent_dim, silent, ("the latent is", "the units idle"), numbers)
