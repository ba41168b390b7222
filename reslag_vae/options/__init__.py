"""What every option of the commands, and of the constructors behind them, may be; free of PyTorch."""

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
