"""The detail of reconstructions and samples beside that of the originals."""

from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.metrics.sharpness import (
    Estimate,
    coherence,
    reconstruction_sharpness,
    sample_sharpness,
)
from reslag_vae.evaluation.numbers import NO_LATENTS, Number, Numbers, missing

SHARE = "of the originals' power"
CORRELATION = "correlation, 1 at best"
BAND = (
    "0.25 to 0.5 cycles per pixel, mean over channels, Hann window, without the corners above 0.5"
)
NO_DETAIL = "the images have no power from 0.25 to 0.5 cycles per pixel"


def sharpness(subject: Subject) -> Numbers:
    """Return the share of the originals' upper power that reconstructions and samples have.

    0 is no detail, 1 as much as the originals have, and more is noise. Power alone does not say
    whether the detail is in its place: the coherence of the reconstructions does.
    """
    return reconstructions(subject) | {"sharpness_samples": of_samples(subject)}


def reconstructions(subject: Subject) -> Numbers:
    """Return sharpness and coherence of the reconstructions from posterior means."""
    if not subject.model.latent_dim:
        return {
            "sharpness_reconstructions": missing(SHARE, NO_LATENTS),
            "coherence_reconstructions": missing(CORRELATION, NO_LATENTS),
        }
    compared = subject.reconstruction_spectra
    means = f"{subject.reference_protocol}, posterior means{subject.images_protocol}"
    return {
        "sharpness_reconstructions": number(reconstruction_sharpness(compared), SHARE, means),
        "coherence_reconstructions": number(coherence(compared), CORRELATION, means),
    }


def of_samples(subject: Subject) -> Number:
    """Return the sharpness of samples of the prior."""
    count = len(subject.prior_latents)
    compared = f"{count:,} samples of the prior against {subject.reference_protocol}"
    found = sample_sharpness(subject.sample_spectra, subject.reference_spectra)
    return number(found, SHARE, f"{compared}{subject.images_protocol}")


def number(found: Estimate | None, unit: str, measured: str) -> Number:
    """Return an estimate as a number; it is missing where there is no detail to compare."""
    if found is None:
        return missing(unit, NO_DETAIL)
    return Number(found.value, unit, f"{measured}; {BAND}", found.error)
