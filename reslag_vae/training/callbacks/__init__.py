"""Callbacks, which show, write and log what happens in training."""

from reslag_vae.training.callbacks.checkpoint import BestAndLast
from reslag_vae.training.callbacks.codes import CodeTable
from reslag_vae.training.callbacks.collapse import CollapseMonitor
from reslag_vae.training.callbacks.curves import TrainingCurves
from reslag_vae.training.callbacks.duration import Duration
from reslag_vae.training.callbacks.early_stopping import EarlyStopping
from reslag_vae.training.callbacks.images import ImageGrids
from reslag_vae.training.callbacks.metrics_csv import MetricsCSV
from reslag_vae.training.callbacks.progress import EpochReport, ProgressBar
from reslag_vae.training.callbacks.seed import EpochSeed
from reslag_vae.training.callbacks.steps import StepMetrics
from reslag_vae.training.callbacks.throughput import Throughput
from reslag_vae.training.callbacks.variance import Sigma2Statistics
from reslag_vae.training.lookup import callback_of, callbacks_of

__all__ = [
    "BestAndLast",
    "CodeTable",
    "CollapseMonitor",
    "Duration",
    "EarlyStopping",
    "EpochReport",
    "EpochSeed",
    "ImageGrids",
    "MetricsCSV",
    "ProgressBar",
    "Sigma2Statistics",
    "StepMetrics",
    "Throughput",
    "TrainingCurves",
    "callback_of",
    "callbacks_of",
]
