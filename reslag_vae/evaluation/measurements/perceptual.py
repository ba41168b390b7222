"""Distances in the features of networks trained on ImageNet: LPIPS, FID and KID of a model."""

from pathlib import Path

from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.measurements.samples import WORDS
from reslag_vae.evaluation.metrics.perceptual import inception_distances, lpips
from reslag_vae.evaluation.numbers import NO_LATENTS, Number, Numbers, mean_over_images, missing


def perceptual(subject: Subject, weights: Path | None, inception: bool) -> Numbers:
    """Return LPIPS of reconstructions, and with Inception FID and KID of samples.

    Args:
        subject: the model and its data.
        weights: folder of the networks' weights; None downloads them.
        inception: whether FID and KID are measured, too.

    Raises:
        UserError: torch-fidelity or weights are missing.
    """
    numbers = {"lpips": lpips_of_reconstructions(subject, weights)}
    return numbers | inception_numbers(subject, weights) if inception else numbers


def lpips_of_reconstructions(subject: Subject, weights: Path | None) -> Number:
    """Return LPIPS between the images of the split and their reconstructions."""
    if not subject.model.latent_dim:
        return missing("LPIPS", NO_LATENTS)
    distances = lpips(subject.model, subject.images, weights, subject.progress)
    protocol = f"{subject.split_protocol}, posterior means{subject.images_protocol}"
    return mean_over_images(distances, "LPIPS", f"{protocol}; AlexNet, version 0.1")


def inception_numbers(subject: Subject, weights: Path | None) -> Numbers:
    """Return FID and KID of samples of the prior and of the mixture.

    The mixture of Gaussians is fitted to the codes of training images.
    """
    latents = {"prior": subject.prior_latents}
    numbers: Numbers = {}
    if subject.model.latent_dim:
        latents["mixture"] = subject.mixture_latents
    else:
        numbers["fid_mixture"] = missing("Fréchet Inception distance", NO_LATENTS)
        numbers["kid_mixture"] = missing("kernel Inception distance", NO_LATENTS)
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
