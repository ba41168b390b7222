"""The public classes and functions of `reslag_vae.evaluation`."""

from reslag_vae.evaluation.adapters import EncoderDecoder, LatentModel
from reslag_vae.evaluation.codes import Codes, decode, encode
from reslag_vae.evaluation.metrics.aggregate import Aggregate, Bracket, aggregate_posterior
from reslag_vae.evaluation.metrics.bounds import Bounds, importance_weighted_bound
from reslag_vae.evaluation.metrics.classifier import Classifier, train_classifier
from reslag_vae.evaluation.metrics.collapse import Diagnosis, diagnose
from reslag_vae.evaluation.metrics.frechet import frechet_distance
from reslag_vae.evaluation.metrics.mixture import CodeMixture
from reslag_vae.evaluation.metrics.pca import PCA, fit_pca
from reslag_vae.evaluation.metrics.perceptual import inception_distances, lpips
from reslag_vae.evaluation.metrics.probes import linear_probe, nearest_neighbours
from reslag_vae.evaluation.metrics.quality import Quality, reconstruction_quality

__all__ = [
    "PCA",
    "Aggregate",
    "Bounds",
    "Bracket",
    "Classifier",
    "CodeMixture",
    "Codes",
    "Diagnosis",
    "EncoderDecoder",
    "LatentModel",
    "Quality",
    "aggregate_posterior",
    "decode",
    "diagnose",
    "encode",
    "fit_pca",
    "frechet_distance",
    "importance_weighted_bound",
    "inception_distances",
    "linear_probe",
    "lpips",
    "nearest_neighbours",
    "reconstruction_quality",
    "train_classifier",
]
