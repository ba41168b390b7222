"""The pictures of an evaluation, of one model or of several by title.

The functions here draw what they are given and compute nothing from a model.
"""

from reslag_vae.evaluation.pictures.curves import SIGMA2_KEYS, sigma2_curves
from reslag_vae.evaluation.pictures.grids import extreme_images, extremes, reconstructions, samples
from reslag_vae.evaluation.pictures.paths import bilinear, line, traverse
from reslag_vae.evaluation.pictures.rates import RatePoint, rate_distortion
from reslag_vae.evaluation.pictures.scatters import axis_names, posterior_scatter, two_dimensions
from reslag_vae.evaluation.pictures.spectra import power_spectra
from reslag_vae.evaluation.pictures.walks import (
    Translation,
    interpolation_grid,
    interpolation_strip,
    translations,
    traversals,
)

__all__ = [
    "SIGMA2_KEYS",
    "RatePoint",
    "Translation",
    "axis_names",
    "bilinear",
    "extreme_images",
    "extremes",
    "interpolation_grid",
    "interpolation_strip",
    "line",
    "posterior_scatter",
    "power_spectra",
    "rate_distortion",
    "reconstructions",
    "samples",
    "sigma2_curves",
    "translations",
    "traversals",
    "traverse",
    "two_dimensions",
]
