"""Posteriors q(z|x) and the prior p(z)."""

from reslag_vae.latents.gaussian import DiagonalGaussian, Point, Posterior
from reslag_vae.latents.statistics import LatentStatistics

__all__ = ["DiagonalGaussian", "LatentStatistics", "Point", "Posterior"]
