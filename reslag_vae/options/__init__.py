"""The values that every option of the commands and constructors may have; free of PyTorch."""

from reslag_vae.options.checks import check, check_tree, monitors, require
from reslag_vae.options.evaluation import check_evaluation
from reslag_vae.options.metrics import METRICS
from reslag_vae.options.renamed import renamed
from reslag_vae.options.suggestions import did_you_mean, is_known
from reslag_vae.options.table import EVALUATE, TRAIN
from reslag_vae.options.trainer import REFUSED, TRAINER

__all__ = [
    "EVALUATE",
    "METRICS",
    "REFUSED",
    "TRAIN",
    "TRAINER",
    "check",
    "check_evaluation",
    "check_tree",
    "did_you_mean",
    "is_known",
    "monitors",
    "renamed",
    "require",
]
