"""The optimal sigma VAE."""

from reslag_vae.training.system import BaseVAE


class OptimalSigmaVAE(BaseVAE):
    """A VAE whose likelihood variance is computed and not tuned.

    Rybkin et al. 2021, https://arxiv.org/abs/2006.13202. The thesis' rule `sigma_data` is the
    default; the paper's own is `objective=sigma_optimal`.
    """

    name = "optimal_sigma"
    title = "Optimal Sigma VAE"
    requires = frozenset({"elbo", "sigma_rule"})
