"""Distances in the features of networks trained on ImageNet: LPIPS, FID and KID of a model."""

from pathlib import Path

from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.measurements.samples import WORDS
from reslag_vae.evaluation.metrics.perceptual import inception_distances, lpips
from reslag_vae.evaluation.metrics.pretrained import prepare
from reslag_vae.evaluation.numbers import NO_LATENTS, Number, Numbers, mean_over_images, missing


def perceptual(subject: Subject, weights: Path | None) -> Numbers:
    """Return LPIPS of reconstructions; FID and KID of samples of the prior and of the mixture.

    The mixture of Gaussians is fitted to the codes of training images.

    Args:
        subject: the model and its data.
        weights: folder of the networks' weights; None downloads them.

    Raises:
        UserError: torch-fidelity or weights are missing.
    """
    prepare(weights)  # before the first minute is lost
    latents = {"prior": subject.prior_latents}
    if not subject.model.latent_dim:
        none = ("lpips", "fid_mixture", "kid_mixture")
        numbers = dict.fromkeys(none, missing("LPIPS", NO_LATENTS))
    else:
        distances = lpips(subject.model, subject.images, weights, subject.progress)
        protocol = f"{subject.split_protocol}, posterior means{subject.images_protocol}"
        measured = f"{protocol}; AlexNet, version 0.1"
        numbers = {"lpips": mean_over_images(distances, "LPIPS", measured)}
        latents["mixture"] = subject.mixture_latents
    generated = {source: subject.decoded(part) for source, part in latents.items()}
    results = inception_distances(
        subject.reference, generated, weights, subject.model.parameter.device, subject.progress
    )
    for source, result in results.items():
        compared = f"{len(latents[source]):,} {WORDS[source]} against {subject.reference_protocol}"
        subsets = f"{compared}; standard deviation between subsets {result.kid_error:.2g}"
        numbers[f"fid_{source}"] = Number(result.fid, "Fréchet Inception distance", compared)
        numbers[f"kid_{source}"] = Number(result.kid, "kernel Inception distance", subsets)
    return numbers
