"""Bounds on the log-likelihood that the model gives the images."""

from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.metrics.bounds import dequantised_bits_per_dim
from reslag_vae.evaluation.numbers import NO_DENSITY, Number, Numbers, mean_over_images, missing
from reslag_vae.likelihoods.pixels import bits_per_dim

NAMES = ("elbo", "importance_weighted_bound", "bits_per_dim", "sigma2")


def likelihood(subject: Subject) -> Numbers:
    """Return the importance-weighted bound in nats and in bits, and the ELBO beside it."""
    if subject.model.deterministic:
        return dict.fromkeys(NAMES, missing("nats", NO_DENSITY))
    measured = f"{subject.reference_protocol}, {subject.samples_protocol}"
    protocol = f"{measured}; {subject.likelihood_protocol}"
    included = "a mass" if subject.likelihood.discrete else "2·pi included"
    bounds, nats = subject.bounds, f"{protocol}, {included}"
    numbers = (
        mean_over_images(bounds.elbo, "nats per image", nats),
        mean_over_images(bounds.importance_weighted, "nats per image", nats),
        bits(subject, protocol),
        variance(subject),
    )
    return dict(zip(NAMES, numbers, strict=True))


def bits(subject: Subject, protocol: str) -> Number:
    """Return the bits per pixel and channel that coding an image takes at most."""
    bounds, dimensions = subject.bounds, subject.model.dimensions
    if subject.likelihood.discrete:
        values = bits_per_dim(bounds.importance_weighted, dimensions, discrete=True)
        return mean_over_images(
            values, "bits", f"{protocol}; coding the images takes at most these"
        )
    values = dequantised_bits_per_dim(bounds.dequantised, dimensions)
    dequantised = (
        "dequantised evenly in cells of 1/255: coding the 8-bit images takes at most so many"
    )
    return mean_over_images(values, "bits", f"{protocol}; {dequantised}")


def variance(subject: Subject) -> Number:
    """Return the variance of the likelihood, averaged over its entries."""
    sigma2 = subject.likelihood.sigma2
    unit = "variance, mean over its entries"
    if sigma2 is None:
        return missing(unit, f"likelihood={subject.likelihood.name} has none")
    whose = subject.likelihood_protocol.removeprefix("sigma2 is ")
    return Number(float(sigma2.mean()), unit, whose)
