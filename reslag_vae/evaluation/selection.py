"""The few numbers of an evaluation that are printed, in groups, each with its meaning."""

from typing import NamedTuple


class Shown(NamedTuple):
    """A number that is printed.

    Attributes:
        label: its name in words.
        group: its group in evaluation.json.
        name: its name in that group.
        meaning: what it says, with its unit, in a few words.
    """

    label: str
    group: str
    name: str
    meaning: str


GROUPS: dict[str, tuple[Shown, ...]] = {
    "reconstruction, of posterior means": (
        Shown("squared error", "reconstruction", "rec", "sum over an image; less is better"),
        Shown(
            "squared error of PCA",
            "reconstruction",
            "pca_rec",
            "with as many components: a limit",
        ),
        Shown("PSNR", "reconstruction", "psnr", "dB; more is better"),
        Shown("SSIM", "reconstruction", "ssim", "similarity of structure, 1 at best"),
        Shown("sharpness", "sharpness", "sharpness_reconstructions", "fine detail, originals: 1"),
        Shown("LPIPS", "perceptual", "lpips", "perceptual distance; less is better"),
    ),
    "likelihood": (
        Shown(
            "ELBO",
            "yardstick",
            "elbo",
            "nats, to compare models; of a mass its own, else a Gaussian's with the variance of "
            "its errors on train",
        ),
        Shown(
            "log-likelihood, at least",
            "likelihood",
            "importance_weighted_bound",
            "nats; by importance weights, under the model's own likelihood, for want of one under "
            "that Gaussian",
        ),
        Shown(
            "bits per number", "likelihood", "bits_per_dim", "bits to code an image; less is better"
        ),
        Shown("objective's loss", "thesis", "total", "in its own unit"),
        Shown("squared error in it", "thesis", "rec", "of one sample of each posterior"),
    ),
    "latent": (
        Shown("active units", "latent", "active_units", "dimensions, which depend on the image"),
        Shown("codes in use", "latent", "codes_used", "codes"),
        Shown("codes in use, top", "latent", "codes_used_top", "codes"),
        Shown("codes in use, bottom", "latent", "codes_used_bottom", "codes"),
        Shown("KL", "latent", "kl", "nats that a code costs"),
        Shown(
            "information, at least",
            "latent",
            "mutual_information_low",
            "nats that codes tell of images; at most the logarithm of their number",
        ),
        Shown("information, at most", "latent", "mutual_information_high", "the same, from above"),
        Shown("linear probe", "classes", "linear_probe", "share of classes read off the codes"),
    ),
    "samples, of the prior": (
        Shown(
            "Fréchet distance",
            "samples",
            "classifier_frechet_prior",
            "in a small classifier's features, not FID; less is better",
        ),
        Shown(
            "... of the mixture",
            "samples",
            "classifier_frechet_mixture",
            "of Gaussians for the prior",
        ),
        Shown("sharpness", "sharpness", "sharpness_samples", "fine detail, originals: 1"),
        Shown("taken for what is told", "samples", "told_accuracy", "share, by a classifier"),
        Shown("FID", "perceptual", "fid_prior", "less is better"),
    ),
}
