"""The model of a hierarchy some of whose latents are inferred on the way up."""

import torch
from torch import Tensor, nn

from reslag_vae.latents import LevelDensity, LevelPosterior, Prior
from reslag_vae.likelihoods import Likelihood
from reslag_vae.models.checks import check_prior_of_images
from reslag_vae.models.hierarchical import Ascent, HierarchicalModel, InferredLevel
from reslag_vae.networks.bidirectional import BidirectionalNetwork


class BidirectionalModel(HierarchicalModel):
    """A hierarchy whose levels are inferred in two parts, one on each way (BIVA).

    Maaløe et al. 2019, https://arxiv.org/abs/1902.02102. Each level below the top is z_l = (u_l,
    d_l): u_l is inferred on the way up, from z_L to z_2, and d_l on the way down. With u that of
    all levels,

        q(z|x) = prod_l q(u_l|x, u_{l+1} .. u_L) · q(z_1|x, u) · prod_l q(d_l|x, u_l .. u_L, z_<l),
        p(z) = p(z_1) · prod_l p(u_l|z_<l) p(d_l|z_<l).

    The KL of d_l and of the top is in closed form, unless the top's prior has none, as a flow: then
    the whole rate is estimated. That of u_l never is: the levels above, on which p(u_l|z_<l)
    depends, are inferred from u_l itself. It is log q(u_l|x, u_{l+1} .. u_L) - log p(u_l|z_<l) of
    the one sample; the KL of the two Gaussians, which takes u_l for independent of them, would be
    of another mean, and what it gives no bound.

    Args:
        network: the passes upwards and downwards.
        likelihood: p(x|z).
        posterior: q of every part of every level, with one set of parameters, if it has any; only
            on the way down is it given the prior.
        prior: p(z_1), of the top; those below are of the posterior's kind.

    Raises:
        ValueError: the parts do not fit each other; the message names the option.
    """

    bidirectional = True
    network: BidirectionalNetwork

    def __init__(
        self,
        network: BidirectionalNetwork,
        likelihood: Likelihood,
        posterior: LevelPosterior,
        prior: Prior,
    ) -> None:
        check_prior_of_images(prior, "the top of model=biva is inferred from latents")
        super().__init__(network, likelihood, posterior, prior)

    @property
    def notes(self) -> dict[str, str]:
        """Lines of the objective card, label -> text."""
        up = ", then ".join(map(str, self.network.inference.up_dims[1:]))
        return super().notes | {
            "way up": f"{up} of these; their KL is estimated by the one sample of each posterior"
        }

    def top_encoder(self) -> nn.Module | None:
        return None

    def pass_up(self, images: Tensor, noise: tuple[Tensor, ...] | None) -> list[Ascent]:
        encoder = self.network.inference
        (features,) = self.features_of(images, noise)
        ascent = []
        for level in reversed(range(1, len(self.level_dims))):
            posterior = self.posterior(encoder.up_numbers(level, features).to(images.dtype))
            own = None if noise is None else noise[level][:, : encoder.up_dims[level]]
            latents = posterior.rsample(own)
            joined, features = encoder.climb(level, features, latents)
            ascent.append(Ascent(joined, posterior, latents))
        return [Ascent(features), *reversed(ascent)]

    def infer_level(
        self,
        level: int,
        ascent: Ascent,
        above: Tensor,
        prior: LevelDensity,
        noise: Tensor | None,
    ) -> InferredLevel:
        up, latents = ascent.posterior, ascent.latents
        assert up is not None, "a part of every level below the top is inferred on the way up"
        assert latents is not None, "and has its sample"
        width = self.network.inference.up_dims[level]
        up_prior, down_prior = prior.split([width, self.level_dims[level] - width])
        own = None if noise is None else noise[:, width:]
        down = super().infer_level(level, ascent, above, down_prior, own)
        up_kl = up.log_probs(latents) - up_prior.log_probs(latents)
        return InferredLevel(
            type(up).joined([up, down.posterior]),
            torch.cat([latents, down.latents], dim=1),
            torch.cat([up_kl, down.kl], dim=1),
        )
