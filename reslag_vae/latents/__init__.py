"""Latents: the posterior q(z|x) and the prior p(z)."""

from reslag_vae.latents.base import (
    Density,
    Level,
    LevelDensity,
    LevelPosterior,
    Posterior,
    PosteriorDensity,
    Prior,
)
from reslag_vae.latents.bernoulli import Bernoulli, BernoulliPosterior
from reslag_vae.latents.boltzmann import BoltzmannMachine, BoltzmannPrior
from reslag_vae.latents.code_prior import CodePrior
from reslag_vae.latents.codes import Coded, CodePosterior
from reslag_vae.latents.flow import FlowPrior
from reslag_vae.latents.fsq import FiniteScalarQuantised
from reslag_vae.latents.gaussian import DiagonalGaussian, GaussianPosterior
from reslag_vae.latents.inferred import Inferred
from reslag_vae.latents.mixture import MixturePrior
from reslag_vae.latents.pixelcnn import PixelCNNPrior
from reslag_vae.latents.point import Point, PointPosterior
from reslag_vae.latents.precision_weighted import PrecisionWeightedPosterior
from reslag_vae.latents.standard_normal import StandardNormal
from reslag_vae.latents.statistics import LatentStatistics
from reslag_vae.latents.two_stage import TwoStagePrior
from reslag_vae.latents.uniform_codes import UniformCodes
from reslag_vae.latents.vamp import VampPrior
from reslag_vae.latents.vq import VectorQuantised

__all__ = [
    "Bernoulli",
    "BernoulliPosterior",
    "BoltzmannMachine",
    "BoltzmannPrior",
    "CodePosterior",
    "CodePrior",
    "Coded",
    "Density",
    "DiagonalGaussian",
    "FiniteScalarQuantised",
    "FlowPrior",
    "GaussianPosterior",
    "Inferred",
    "LatentStatistics",
    "Level",
    "LevelDensity",
    "LevelPosterior",
    "MixturePrior",
    "PixelCNNPrior",
    "Point",
    "PointPosterior",
    "Posterior",
    "PosteriorDensity",
    "PrecisionWeightedPosterior",
    "Prior",
    "StandardNormal",
    "TwoStagePrior",
    "UniformCodes",
    "VampPrior",
    "VectorQuantised",
]
