"""Callbacks: what a run shows, writes and logs beside training."""

from reslag_vae.callbacks.checkpoint import BestAndLast
from reslag_vae.callbacks.collapse import CollapseMonitor
from reslag_vae.callbacks.images import ImageGrids
from reslag_vae.callbacks.lookup import callback_of, callbacks_of
from reslag_vae.callbacks.metrics_file import MetricsFile
from reslag_vae.callbacks.progress import EpochReport, ProgressBar
from reslag_vae.callbacks.seed import EpochSeed
from reslag_vae.callbacks.sigma import Sigma2Statistics
from reslag_vae.callbacks.throughput import Throughput

__all__ = [
    "BestAndLast",
    "CollapseMonitor",
    "EpochReport",
    "EpochSeed",
    "ImageGrids",
    "MetricsFile",
    "ProgressBar",
    "Sigma2Statistics",
    "Throughput",
    "callback_of",
    "callbacks_of",
]
