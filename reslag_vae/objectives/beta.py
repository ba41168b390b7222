"""beta-VAE."""

from typing import ClassVar

from torch import Tensor

from reslag_vae.latents.gaussian import Posterior
from reslag_vae.objectives.base import Objective, require_kl, squared_error
from reslag_vae.options import require
from reslag_vae.records import Terms


class Beta(Objective):
    """loss = Rec + beta · Lat, with Lat the KL averaged over the latent dimensions, as in the thesis' Table 1.

    Higgins et al. 2017, https://openreview.net/pdf?id=Sy2fzU9gl, Eq. 4, writes Rec + beta · KL with
    the sum: that beta is ours divided by d, and is shown on the card as beta_eff.

    Args:
        beta: weight of the averaged KL, positive.

    Raises:
        ValueError: beta is not positive.
    """

    name: ClassVar[str] = "beta"

    def __init__(self, beta: float = 4.0) -> None:
        super().__init__()
        require("objective.beta", beta)
        self.beta = beta

    @property
    def formula(self) -> str:
        return f"Rec + {self.beta:g} · KL / d"

    def equivalent_sigma2(self, latent_dim: int) -> float:
        return self.beta / (2 * latent_dim)

    def forward(
        self,
        images: Tensor,
        reconstruction: Tensor,
        posterior: Posterior,
        latents: Tensor,
        prior: Tensor | None = None,
    ) -> Terms:
        rec, kl = squared_error(images, reconstruction), require_kl(posterior)
        return Terms(loss=rec + self.beta * kl.mean(1), rec=rec, kl=kl)
