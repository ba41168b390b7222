"""The terms of the thesis in its own conventions, and the yardstick that all variants share."""

import torch
from torch import Tensor

from reslag_vae.evaluation.context import EXACT, Subject
from reslag_vae.evaluation.epoch import EVALUATION_SEED, evaluate
from reslag_vae.evaluation.numbers import NO_DENSITY, Number, Numbers, mean_over_images, missing
from reslag_vae.evaluation.progress import tracked
from reslag_vae.likelihoods.gaussian import gaussian_elbo
from reslag_vae.likelihoods.pixels import bits_per_dim
from reslag_vae.models import GenerativeModel
from reslag_vae.models.card import preset
from reslag_vae.objectives import Terms

SAMPLED = f"one sample of each posterior, seed {EVALUATION_SEED}"
# Numbers that a posterior without a density does not have.
BOUNDED = ("kl", "elbo", "bits_per_dim")


def losses(subject: Subject) -> dict[str, Numbers]:
    """Return the losses of the split in two groups, `thesis` and `yardstick`.

    `thesis` holds Rec, Lat, MMD and Total as Table 1 of the thesis prints them. `yardstick` holds
    the ELBO with one global Gaussian variance, or that of the model's own likelihood if this is a
    mass.
    """
    parts: list[Terms] = []
    batches = tracked(subject.batches(subject.settings.split), "losses", subject.progress)
    means = evaluate(subject.model, subject.objective, batches, parts.append).means.read()
    loss, distortion, rec = (
        torch.cat([getattr(part, name) for part in parts]).cpu()
        for name in ("loss", "distortion", "rec")
    )
    kls = [part.kl for part in parts if part.kl is not None]
    kl = torch.cat(kls).cpu() if kls else None
    protocol = f"{subject.split_protocol}, {latents_protocol(subject.model)}"
    if subject.model.likelihood.discrete:
        common = mass_yardstick(subject, distortion, kl, protocol)
    else:
        common = yardstick(subject, rec, kl, protocol)
    thesis = thesis_terms(subject, loss, rec, kl, means.get("mmd"), protocol)
    return {"thesis": thesis, "yardstick": common}


def latents_protocol(model: GenerativeModel) -> str:
    """Return the part of a protocol that says which latents the losses are of."""
    if not model.latent_dim:
        return EXACT
    return "the codes" if model.deterministic else SAMPLED


def thesis_terms(
    subject: Subject, loss: Tensor, rec: Tensor, kl: Tensor | None, mmd: float | None, protocol: str
) -> Numbers:
    """Return Rec, Lat, MMD and Total as Table 1 of the thesis prints them.

    Args:
        subject: the model and its data.
        loss: (N,) losses of the images, in the unit of the objective.
        rec: (N,) sums of squared errors.
        kl: (N,) KLs to the prior in nats, which Lat averages over dimensions where the objective
            does; None where the posterior is a point.
        mmd: mean squared MMD over the minibatches; None where the objective has none.
        protocol: how the terms were measured.
    """
    model, objective = subject.model, subject.objective
    if kl is None:
        lat = missing("nats", NO_DENSITY)
    elif objective.averages_kl:
        lat = mean_over_images(kl / model.latent_dim, "nats per latent dimension", protocol)
    else:
        lat = mean_over_images(kl, "nats per image", protocol)
    formula = objective.formula(model.likelihood.formula)
    total = mean_over_images(loss, "unit of the objective", f"{protocol}; {formula}")
    discrepancy = missing("squared MMD", f"objective={preset(model, objective)} has none")
    if mmd is not None:
        size = subject.data.batch_size
        count = objective.prior_count(size)
        samples = "as many samples" if count == size else f"{count:,} sample{'s' * (count != 1)}"
        batches = f"minibatches of {size} against {samples} of the prior"
        discrepancy = Number(mmd, "squared MMD", f"{protocol}; {batches}")
        # A statistic of the minibatch has no error over images.
        total = total._replace(protocol=f"{total.protocol}; MMD of {batches}", error=None)
    return {
        "rec": mean_over_images(
            rec, "sum of squared errors per image", f"{protocol}{errors_protocol(model)}"
        ),
        "lat": lat,
        "mmd": discrepancy,
        "total": total,
    }


def errors_protocol(model: GenerativeModel) -> str:
    """Return the end of the protocol of Rec: which means the errors are of, where it is asked."""
    if model.likelihood.has_mean:
        return ""
    return "; errors of each pixel's mean given the pixels before it"


def yardstick(subject: Subject, rec: Tensor, kl: Tensor | None, protocol: str) -> Numbers:
    """Return the ELBO with one global Gaussian variance, for all variants with a density alike.

    Args:
        subject: the model and its data.
        rec: (N,) sums of squared errors of the images.
        kl: (N,) KLs to the prior in nats; None where the posterior is a point.
        protocol: how these were measured.
    """
    sigma2, dimensions = subject.train_mse, subject.model.dimensions
    train = f"train split, {len(subject.data.split('train')):,} images, {SAMPLED}"
    variance = Number(sigma2, "mean squared error", train)
    if kl is None:
        return {"sigma2": variance} | dict.fromkeys(BOUNDED, missing("nats", NO_DENSITY))
    constant = gaussian_elbo(0.0, 0.0, sigma2, dimensions)
    elbo = constant - rec.double() / (2 * sigma2) - kl
    return {
        "sigma2": variance,
        "kl": mean_over_images(kl, "nats per image", protocol),
        "elbo": mean_over_images(elbo, "nats per image", f"{protocol}; 2·pi included"),
        "bits_per_dim": mean_over_images(
            bits_per_dim(elbo, dimensions),
            "bits",
            f"{protocol}; 8 - elbo / (D ln 2), no dequantisation noise",
        ),
    }


def mass_yardstick(
    subject: Subject, distortion: Tensor, kl: Tensor | None, protocol: str
) -> Numbers:
    """Return the ELBO under the model's own likelihood, which is a mass, in place of the yardstick.

    Args:
        subject: the model and its data.
        distortion: (N,) negative log-likelihoods of the images in nats.
        kl: (N,) KLs to the prior in nats; None where the posterior is a point.
        protocol: how these were measured.
    """
    none = missing("mean squared error", f"likelihood={subject.model.likelihood.name} is a mass")
    if kl is None:
        return {"sigma2": none} | dict.fromkeys(BOUNDED, missing("nats", NO_DENSITY))
    elbo = -distortion.double() - kl
    bits = bits_per_dim(elbo, subject.model.dimensions, discrete=True)
    return {
        "sigma2": none,
        "kl": mean_over_images(kl, "nats per image", protocol),
        "elbo": mean_over_images(elbo, "nats per image", f"{protocol}; the likelihood is a mass"),
        "bits_per_dim": mean_over_images(bits, "bits", f"{protocol}; -elbo / (D ln 2)"),
    }
