"""Objectives: what is minimised. Pure functions of a minibatch, its reconstruction and its posterior."""

from reslag_vae.objectives.base import Objective
from reslag_vae.objectives.beta import Beta
from reslag_vae.objectives.capacity import Capacity
from reslag_vae.objectives.elbo import ELBO
from reslag_vae.objectives.mmd import MMD
from reslag_vae.objectives.reconstruction import Reconstruction
from reslag_vae.objectives.sigma import SigmaData, SigmaFixed, SigmaLearned, SigmaOptimal, SigmaRule

__all__ = [
    "ELBO",
    "MMD",
    "Beta",
    "Capacity",
    "Objective",
    "Reconstruction",
    "SigmaData",
    "SigmaFixed",
    "SigmaLearned",
    "SigmaOptimal",
    "SigmaRule",
]
