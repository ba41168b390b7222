"""A density fitted to the codes after training, from which to sample in place of the prior."""

import warnings

import numpy as np
import torch
from torch import Tensor

from reslag_vae.evaluation.iteration import check_seed
from reslag_vae.models.latent_inputs import as_latents
from reslag_vae.models.number_inputs import check_count

COMPONENTS = 10

# Full covariances of more dimensions take gigabytes and hours, and there are too few codes.
MOST_FULL = 1024


class CodeMixture:
    """A Gaussian mixture, fitted to codes.

    Its covariances are full, and diagonal for codes of more than 1024 dimensions, as those of a
    hierarchy may be. Ghosh et al. 2020, https://arxiv.org/abs/1903.12436, section 4.

    Args:
        codes: (N, d) samples of the posteriors of training images; N is at least the number of
            components.
        components: number of components of the mixture.
        seed: seed of the initial components.

    Raises:
        ValueError: there are fewer codes than components.
    """

    def __init__(self, codes: Tensor, components: int = COMPONENTS, seed: int = 0) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        codes = as_latents(codes)
        components = check_count("components", components)
        seed = check_seed(seed)
        if len(codes) < components:
            raise ValueError(f"components={components}: {len(codes)} codes are too few for them.")
        self.dtype, self.device = codes.dtype, codes.device
        kind = "full" if codes.shape[1] <= MOST_FULL else "diag"
        self.mixture = GaussianMixture(
            components, covariance_type=kind, random_state=seed, reg_covar=1e-6
        )
        with warnings.catch_warnings():
            # A likelihood that still rises a little after 100 steps is no worse to sample from.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.mixture.fit(codes.double().cpu().numpy())

    def log_prob(self, latents: Tensor) -> Tensor:
        """Return the (M,) log densities of (M, d) latents, in nats, in float64."""
        densities = self.mixture.score_samples(latents.double().cpu().numpy())
        return torch.from_numpy(densities).to(latents.device)

    def sample(self, count: int, seed: int = 0) -> Tensor:
        """Return (count, d) latents, in random order.

        Args:
            count: number of latents.
            seed: seed of the random numbers.

        Raises:
            ValueError: the count or the seed is not valid.
        """
        count, seed = check_count("count", count), check_seed(seed)
        self.mixture.random_state = np.random.RandomState(seed)
        drawn, _ = self.mixture.sample(count)
        # scikit-learn returns the samples sorted by component.
        order = np.random.default_rng(seed).permutation(count)
        return torch.from_numpy(drawn[order]).to(self.device, self.dtype)
