"""What the code carries: information in nats, and how many dimensions carry it."""

from reslag_vae.distributions import DiagonalGaussian
from reslag_vae.evaluation.aggregate import aggregate_posterior
from reslag_vae.evaluation.numbers import NO_DENSITY, Number, Numbers, mean_over_images, missing
from reslag_vae.evaluation.subject import Subject
from reslag_vae.latent import ACTIVE_VARIANCE

BRACKETED = ("mutual_information", "aggregate_kl", "total_correlation")
INSIDE = "q(z) the mixture of their posteriors, each latent's own with it"
LEFT_OUT = (
    "q(z) the mixture of their posteriors, each latent's own left out, or one of Gaussians fitted to training codes, "
    "whichever is nearer"
)


def latent(subject: Subject) -> Numbers:
    """Active units, and of the aggregate posterior what `Aggregate` holds, each bracketed by two estimates."""
    codes, settings = subject.codes, subject.settings
    count, dimensions = codes.means.shape
    protocol = f"{settings.split} split, {count:,} images, seed {settings.seed}"
    active = int((codes.means.double().var(0, unbiased=False) > ACTIVE_VARIANCE).sum())
    units = Number(active, f"of {dimensions}", f"{protocol}; the variance of the posterior mean exceeds 0.01")
    names = ("kl", "mutual_information_ceiling", *(f"{name}_{end}" for name in BRACKETED for end in ("low", "high")))
    if not isinstance(codes.posterior, DiagonalGaussian):
        return {"active_units": units} | dict.fromkeys(names, missing("nats", NO_DENSITY))
    with subject.progress("aggregate posterior", None):
        result = aggregate_posterior(codes.posterior, codes.latents, subject.mixture.log_prob(codes.latents))
    numbers = {
        "active_units": units,
        "kl": mean_over_images(codes.posterior.kl().sum(1), "nats per image", protocol),
        "mutual_information_ceiling": Number(result.ceiling, "nats", f"logarithm of {count:,} images"),
    }
    for name in BRACKETED:
        bracket = getattr(result, name)
        # More density is less information, and more of a divergence.
        how = (INSIDE, LEFT_OUT) if name == "mutual_information" else (LEFT_OUT, INSIDE)
        numbers[f"{name}_low"] = Number(bracket.low, "nats", f"{protocol}; {how[0]}")
        numbers[f"{name}_high"] = Number(bracket.high, "nats", f"{protocol}; {how[1]}")
    return numbers
