"""How likely the model holds the images to be."""

import math

from reslag_vae.evaluation.bounds import dequantised_bits_per_dim
from reslag_vae.evaluation.measurements.losses import as_bits
from reslag_vae.evaluation.numbers import NO_DENSITY, Number, Numbers, mean_over_images, missing
from reslag_vae.evaluation.subject import Subject

NAMES = ("elbo", "importance_weighted_bound", "bits_per_dim", "bits_per_dim_dequantised", "sigma2")


def likelihood(subject: Subject) -> Numbers:
    """The importance-weighted bound with the model's own variance, in nats and in bits, and the ELBO beside it."""
    if subject.model.deterministic:
        return dict.fromkeys(NAMES, missing("nats", NO_DENSITY))
    (variance, whose), bounds, settings = subject.sigma2, subject.bounds, subject.settings
    protocol = (
        f"{subject.of_split}, {settings.samples} samples of each posterior, seed {settings.seed}; "
        f"sigma2 is {whose}, 2·pi included"
    )
    bound = mean_over_images(bounds.importance_weighted, "nats per image", protocol)
    numbers = (
        mean_over_images(bounds.elbo, "nats per image", protocol),
        bound,
        as_bits(bound, subject.model.dimensions),
        as_coding_bits(mean_over_images(bounds.dequantised, "nats per image", protocol), subject.model.dimensions),
        Number(float(variance.mean()), "variance, mean over its entries", whose),
    )
    return dict(zip(NAMES, numbers, strict=True))


def as_coding_bits(nats: Number, dimensions: int) -> Number:
    """The dequantised bound in bits per pixel and channel."""
    assert nats.value is not None
    error = None if nats.error is None else nats.error / (dimensions * math.log(2))
    protocol = f"{nats.protocol}; dequantised evenly in cells of 1/255: the 8-bit images take at most so many"
    return Number(dequantised_bits_per_dim(nats.value, dimensions), "bits", protocol, error)
