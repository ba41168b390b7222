"""The information that the codes carry, in nats, and how many dimensions carry it."""

from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.metrics.aggregate import (
    MARGINAL_SAMPLES,
    Aggregate,
    aggregate_posterior,
)
from reslag_vae.evaluation.numbers import (
    NO_DENSITY,
    NO_LATENTS,
    Number,
    Numbers,
    mean_over_images,
    missing,
)
from reslag_vae.latents.codes import used_of
from reslag_vae.latents.levels import by_level
from reslag_vae.latents.statistics import ACTIVE_VARIANCE

NO_GAUSSIAN = (
    "not all posteriors are diagonal Gaussians given the image alone, whose mixture q(z) would be"
)
BRACKETED = ("mutual_information", "aggregate_kl", "total_correlation")
INSIDE = "q(z) estimated by the mixture of their posteriors, each latent's own in it"
OUTSIDE = (
    "q(z) estimated without each latent's own posterior, or by Gaussians fitted to training codes, "
    "whichever is nearer"
)
MARGINALS = f"; its marginals the other way round; at {MARGINAL_SAMPLES:,} latents at most"


def latent(subject: Subject) -> Numbers:
    """Return the active units, the KL, and what the aggregate posterior says.

    Each number of the aggregate posterior is bracketed by two estimates. The bracket covers the
    bias of the estimator; the standard error of each end covers the choice of the images.
    """
    ends = [f"{name}_{end}" for name in BRACKETED for end in ("low", "high")]
    names = ["kl", "mutual_information_ceiling", *ends]
    if not subject.model.latent_dim:
        return dict.fromkeys(["active_units", *names], missing("nats", NO_LATENTS))
    codes, protocol = subject.codes, subject.reference_protocol
    active = int(codes.active.sum())
    mean = "posterior mean"
    if subject.model.top_down:
        mean += ", below the top less that of the prior given the levels above,"
    criterion = f"the variance of the {mean} exceeds {ACTIVE_VARIANCE:g} of the prior's variance"
    units = Number(active, f"of {codes.means.shape[1]}", f"{protocol}; {criterion}")
    numbers = {"active_units": units} | used_codes(subject)
    if codes.rates is None:
        return numbers | dict.fromkeys(names, missing("nats", NO_DENSITY))
    kl = mean_over_images(codes.rates, "nats per image", protocol)
    numbers |= kl_of_levels(subject)
    if codes.posterior is None:
        return numbers | dict.fromkeys(names, missing("nats", NO_GAUSSIAN)) | {"kl": kl}
    with subject.progress("aggregate posterior", None):
        fitted = subject.mixture.log_prob(codes.latents)
        # Exact where they can be, in float64.
        rates = codes.rates if codes.kls is None else codes.kls.double().sum(1)
        result = aggregate_posterior(codes.posterior, codes.latents, fitted, rates=rates)
    ceiling = Number(
        result.ceiling,
        "nats",
        f"logarithm of {len(codes.means):,} images, which mutual_information_low cannot exceed",
    )
    numbers |= {"kl": kl, "mutual_information_ceiling": ceiling}
    return numbers | bracketed(result, protocol)


def kl_of_levels(subject: Subject) -> Numbers:
    """Return the KL of each level of latents, top first; nothing where there is but one level."""
    rates = subject.codes.level_rates
    if rates is None or rates.shape[1] < 2:
        return {}
    protocol = (
        f"{subject.reference_protocol}; given one sample of any latents that it is inferred from"
    )
    levels = enumerate(rates.unbind(1), start=1)
    return {
        f"kl_level_{level}": mean_over_images(own, "nats per image", protocol)
        for level, own in levels
    }


def used_codes(subject: Subject) -> Numbers:
    """Return how many codes are in use, and how evenly; nothing where latents are not discrete."""
    by_any = f"{subject.reference_protocol}; by any position of any image"
    alike = f"{subject.reference_protocol}; so many, were they used alike"
    counts, perplexities = [], []
    for usage in subject.codes.usage:
        used, perplexity = used_of(usage)
        counts.append(Number(used, f"of {len(usage)}", by_any))
        perplexities.append(Number(perplexity, "codes", alike))
    return by_level("codes_used", counts) | by_level("perplexity", perplexities)


def bracketed(result: Aggregate, protocol: str) -> Numbers:
    """Return both ends of each bracket, with their standard errors over images.

    Args:
        result: statistics of the aggregate posterior.
        protocol: the images that they are of.
    """
    numbers = {}
    for name in BRACKETED:
        marginals = MARGINALS if name == "total_correlation" else ""
        # More density is less information, and more of a divergence.
        densities = (INSIDE, OUTSIDE) if name == "mutual_information" else (OUTSIDE, INSIDE)
        ends = zip(("low", "high"), getattr(result, name), result.errors[name], strict=True)
        for (end, value, error), density in zip(ends, densities, strict=True):
            measured = f"{protocol}; {density}{marginals}"
            numbers[f"{name}_{end}"] = Number(value, "nats", measured, error)
    return numbers
