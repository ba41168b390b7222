"""The values that every option of the commands and constructors may have; free of PyTorch."""

from reslag_vae.options.checks import (
    check,
    check_evaluation,
    check_tree,
    did_you_mean,
    renamed,
    require,
)
from reslag_vae.options.table import EVALUATE, METRICS, REFUSED, TRAIN, TRAINER

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
    "renamed",
    "require",
]
