"""The detail of reconstructions and samples beside that of the originals."""

from typing import Any

import numpy as np

from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.metrics.sharpness import (
    ORIGINALS,
    RECONSTRUCTIONS,
    SAMPLES,
    SHARED,
    Estimate,
    coherence,
    reconstruction_sharpness,
    sample_sharpness,
)
from reslag_vae.evaluation.metrics.spectra import ring_frequencies
from reslag_vae.evaluation.numbers import NO_LATENTS, Number, Numbers, missing

SHARE = "of the originals' power"
CORRELATION = "correlation, 1 at best"
SPECTRUM = "mean over channels, Hann window, without the corners above 0.5"
BAND = f"0.25 to 0.5 cycles per pixel, {SPECTRUM}"
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


def upper_powers(subject: Subject) -> dict[str, np.ndarray]:
    """Return each reference image's powers, of which its sharpness is, by name; see `BAND`."""
    powers = {ORIGINALS: subject.reference_spectra.upper, SAMPLES: subject.sample_spectra.upper}
    if subject.model.latent_dim:
        compared = subject.reconstruction_spectra
        powers |= {RECONSTRUCTIONS: compared.reconstructions.upper, SHARED: compared.shared}
    return {name: values.float().numpy() for name, values in powers.items()}


def radial_powers(subject: Subject) -> dict[str, Any]:
    """Return the mean powers over rings of frequencies, of originals and of the model's images."""
    powers = {"originals": subject.reference_spectra, "samples": subject.sample_spectra}
    if subject.model.latent_dim:
        powers["reconstructions"] = subject.reconstruction_spectra.reconstructions
    return {
        "unit": "power, of white noise its variance; frequencies in cycles per pixel",
        "protocol": f"{subject.reference_protocol}{subject.images_protocol}; {SPECTRUM}",
        "frequencies": ring_frequencies(*subject.model.image_shape[1:]).tolist(),
        **{source: own.radial.mean(0).tolist() for source, own in powers.items()},
    }
