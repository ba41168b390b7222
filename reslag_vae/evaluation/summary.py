"""The content of evaluation.json."""

from typing import Any

from reslag_vae._runtime.process import peak_memory
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.measurements.sharpness import radial_powers
from reslag_vae.evaluation.metrics.collapse import Diagnosis
from reslag_vae.evaluation.numbers import Numbers
from reslag_vae.runs import provenance
from reslag_vae.runs.load import Run


def summary(
    run: Run, subject: Subject, numbers: dict[str, Numbers], diagnosis: Diagnosis | None
) -> dict[str, Any]:
    """Return what evaluation.json says of a run.

    Args:
        run: the run, as read from its folder.
        subject: its model and data, with the settings of the evaluation.
        numbers: measured numbers by group and name.
        diagnosis: state of each latent dimension; None where the posterior is a point.
    """
    return {
        "model": run.variant.name,
        "title": run.title,
        "data": subject.data.name,
        "objective": run.preset,
        "schedule": run.schedule.name,
        "training_seed": run.config.seed,
        "checkpoint": run.checkpoint,
        "epoch": run.epoch,
        "settings": subject.settings.as_dict(),
        "verdict": None if diagnosis is None else verdict(subject, diagnosis),
        "numbers": {
            group: {name: number.as_dict() for name, number in named.items()}
            for group, named in numbers.items()
        },
        "spectra": radial_powers(subject),
        "device": str(run.model.parameter.device),
        "peak_memory_mb": round(peak_memory() / 1e6),  # of the process until now
        "versions": provenance.versions(),
        "commit": provenance.commit(),
    }


def verdict(subject: Subject, diagnosis: Diagnosis) -> dict[str, Any]:
    """Return the diagnosis in words, and the mean KL and the state of each latent dimension.

    The KL is in nats; None without a closed form.
    """
    if not len(diagnosis.active):  # codes
        protocol = subject.reference_protocol
        return {"sentence": diagnosis.verdict, "dimensions": [], "protocol": protocol}
    kls = subject.codes.kls
    means = [None] * len(diagnosis.active) if kls is None else kls.double().mean(0).tolist()
    return {
        "sentence": diagnosis.verdict,
        "dimensions": [
            {"name": f"z{j}", "kl": value, "state": state}
            for j, (value, state) in enumerate(zip(means, states(diagnosis), strict=True), 1)
        ],
        "protocol": f"{subject.reference_protocol}; KL in nats; the decoder is asked with its "
        f"likelihood; {subject.likelihood_protocol}",
    }


def states(diagnosis: Diagnosis) -> list[str]:
    """Return the state of each latent dimension in words."""
    words = []
    for ignored, lagging in zip(diagnosis.ignored, diagnosis.lagging, strict=True):
        if ignored:
            words.append("idle, ignored by the decoder")
        elif lagging:
            words.append("idle, used by the decoder")
        else:
            words.append("active")
    return words
