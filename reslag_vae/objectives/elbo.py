"""The negative ELBO with unit likelihood variance: the plain VAE."""

from typing import ClassVar

from torch import Tensor

from reslag_vae.latents.gaussian import Posterior
from reslag_vae.objectives.base import Objective, require_kl, squared_error
from reslag_vae.records import Terms


class ELBO(Objective):
    """loss = Rec / 2 + KL: a Gaussian likelihood of variance 1, its constant left out.

    Kingma & Welling 2014, https://arxiv.org/abs/1312.6114, Eq. 10. Images in [0, 1] vary far less
    than that, which makes the KL weigh about twenty times too much; see the sigma rules.
    """

    name: ClassVar[str] = "elbo"
    formula = "Rec / 2 + KL"

    def equivalent_sigma2(self, latent_dim: int) -> float:
        return 1.0

    def forward(
        self,
        images: Tensor,
        reconstruction: Tensor,
        posterior: Posterior,
        latents: Tensor,
        prior: Tensor | None = None,
    ) -> Terms:
        rec, kl = squared_error(images, reconstruction), require_kl(posterior)
        return Terms(loss=rec / 2 + kl.sum(1), rec=rec, kl=kl)
