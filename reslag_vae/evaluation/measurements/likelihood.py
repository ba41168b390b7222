"""How likely the model holds the images to be."""

from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.metrics.bounds import dequantised_bits_per_dim
from reslag_vae.evaluation.numbers import NO_DENSITY, Number, Numbers, mean_over_images, missing

NAMES = ("elbo", "importance_weighted_bound", "bits_per_dim", "sigma2")


def likelihood(subject: Subject) -> Numbers:
    """The importance-weighted bound with the model's own variance, in nats and in bits, and the ELBO beside it."""
    if subject.model.deterministic:
        return dict.fromkeys(NAMES, missing("nats", NO_DENSITY))
    (variance, whose), bounds = subject.sigma2, subject.bounds
    protocol = f"{subject.of_reference}, {subject.settings.samples} samples of each posterior; sigma2 is {whose}"
    bits = dequantised_bits_per_dim(bounds.dequantised, subject.model.dimensions)
    dequantised = f"{protocol}; dequantised evenly in cells of 1/255: coding the 8-bit images takes at most so many"
    numbers = (
        mean_over_images(bounds.elbo, "nats per image", f"{protocol}, 2·pi included"),
        mean_over_images(
            bounds.importance_weighted, "nats per image", f"{protocol}, 2·pi included"
        ),
        mean_over_images(bits, "bits", dequantised),
        Number(float(variance.mean()), "variance, mean over its entries", whose),
    )
    return dict(zip(NAMES, numbers, strict=True))
