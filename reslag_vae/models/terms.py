"""The computation of an objective's terms from a batch of images."""

from torch import Tensor

from reslag_vae.latents import Inferred
from reslag_vae.latents.inferred import joined
from reslag_vae.likelihoods.pixels import unit_interval
from reslag_vae.models.generative import GenerativeModel
from reslag_vae.objectives import Objective, Terms


def compute_terms(
    model: GenerativeModel,
    objective: Objective,
    images: Tensor,
    noise: tuple[Tensor, ...] | None = None,
    prior: Tensor | None = None,
    labels: Tensor | None = None,
) -> tuple[Terms, Inferred]:
    """Return an objective's terms of a minibatch, and the result of inference on it.

    The likelihood and the objective are computed in the precision of the images, float32 or better,
    also under autocast.

    Args:
        model: the model, which infers and generates.
        objective: the objective, which weighs the terms.
        images: (B, C, H, W) images, in uint8, or in floating point in [0, 1].
        noise: (B, d_l) standard normal numbers of each level; drawn if None.
        prior: (P, d) samples of the prior, for objectives that need any; drawn if None.
        labels: (B,) class numbers or (B, K) attributes, which a conditional model is told.
    """
    images = unit_interval(images)
    inferred, parameters = told_labels(model, labels).infer_and_decode(images, noise)
    distortion = model.likelihood(images, parameters)
    if objective.draws_prior and prior is None:
        prior = joined(model.sample_latents(objective.prior_count(len(images))))
    terms: Terms = objective(distortion, inferred, prior)
    return terms, inferred


def told_labels(model: GenerativeModel, labels: Tensor | None) -> GenerativeModel:
    """Return a conditional model that is told the labels of images, or any other as it is.

    Args:
        model: any model.
        labels: (B,) class numbers or (B, K) attributes of B images; None leaves the model as it is.
    """
    if model.condition is None or labels is None:
        return model
    return model.told(model.condition.numbers(labels))
