"""Likelihoods p(x|z): the pixels that a decoder's output describes, and the cost of an image."""

from reslag_vae.likelihoods.base import Distortion, Likelihood
from reslag_vae.likelihoods.bernoulli import Bernoulli
from reslag_vae.likelihoods.gaussian import Gaussian
from reslag_vae.likelihoods.pixelcnn import PixelCNN
from reslag_vae.likelihoods.pixelcnn_pp import PixelCNNPlusPlus
from reslag_vae.likelihoods.squared import SquaredError, UnitGaussian
from reslag_vae.likelihoods.variance import (
    DataVariance,
    FixedVariance,
    LearnedVariance,
    OptimalVariance,
    VarianceRule,
)

__all__ = [
    "Bernoulli",
    "DataVariance",
    "Distortion",
    "FixedVariance",
    "Gaussian",
    "LearnedVariance",
    "Likelihood",
    "OptimalVariance",
    "PixelCNN",
    "PixelCNNPlusPlus",
    "SquaredError",
    "UnitGaussian",
    "VarianceRule",
]
