"""The numbers of a trained model in groups, each of which is one function of a `Subject`."""

from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.measurements.classes import classes
from reslag_vae.evaluation.measurements.latent import latent
from reslag_vae.evaluation.measurements.likelihood import likelihood
from reslag_vae.evaluation.measurements.losses import losses
from reslag_vae.evaluation.measurements.reconstruction import reconstruction
from reslag_vae.evaluation.measurements.samples import samples
from reslag_vae.evaluation.measurements.sharpness import sharpness
from reslag_vae.evaluation.numbers import Numbers


def measure(subject: Subject) -> dict[str, Numbers]:
    """Return all numbers, by group and name as in evaluation.json."""
    return losses(subject) | {
        "likelihood": likelihood(subject),
        "reconstruction": reconstruction(subject),
        "latent": latent(subject),
        "classes": classes(subject),
        "samples": samples(subject),
        "sharpness": sharpness(subject),
    }
