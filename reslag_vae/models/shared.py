"""The model of three levels of latents whose encoder shares layers with its decoder."""

from typing import Any

import torch
from torch import Tensor, nn

from reslag_vae.latents import GaussianPosterior, Inferred, Posterior, PosteriorDensity, Prior
from reslag_vae.latents.inferred import joined
from reslag_vae.latents.standard_normal import StandardNormal
from reslag_vae.likelihoods import PixelCNNPlusPlus
from reslag_vae.models.checks import check_prior_of_images, check_shapes
from reslag_vae.models.generative import GenerativeModel, Group
from reslag_vae.networks import SharedNetwork

LEVELS = 3


class SharedModel(GenerativeModel):
    """q(z|x), p(z) and p(x|z) of three levels, with a part of the decoder in the encoder.

    As in PixelVAE++ (Sadeghi et al. 2019, https://arxiv.org/abs/1908.09948). The encoder is the
    first half of the likelihood's network, which sees the image and no latents, and a head that
    sees the image beside it. That half is in the generative group alone: an update of the inference
    group moves the head. The levels, top first: units under a prior of choice, a vector and a map
    of places, both under N(0, I). They are independent of each other, a priori and given an image.

    Args:
        network: head of the encoder, and what leads from the latents to the likelihood.
        likelihood: p(x|z), in two halves.
        posterior: q(z|x) of the units.
        prior: p(z) of the units.

    Raises:
        ValueError: the parts do not fit each other; the message names the option.
    """

    likelihood: PixelCNNPlusPlus
    provides = frozenset({"shared_half"})

    def __init__(
        self,
        network: SharedNetwork,
        likelihood: PixelCNNPlusPlus,
        posterior: Posterior,
        prior: Prior,
    ) -> None:
        super().__init__()
        if "first_half" not in likelihood.provides:
            raise ValueError(
                f"likelihood={likelihood.name}: has no first half that the encoder could start "
                "with; choose likelihood=pixelcnn_pp."
            )
        check_shapes(network, likelihood, posterior, prior, LEVELS)
        check_prior_of_images(prior, "that of model=pixelvae_pp sees features of the decoder")
        channels = likelihood.network.hidden.in_channels
        if network.stack_channels != channels:
            raise ValueError(
                f"network.stack_channels={network.stack_channels}: must be likelihood.channels, "
                f"{channels}."
            )
        self.network, self.likelihood = network, likelihood
        self.posterior, self.prior = posterior, prior
        self.gaussian = GaussianPosterior()
        self.normals = nn.ModuleList(StandardNormal(own) for own in network.level_dims[1:])
        self.image_shape, self.level_dims = network.image_shape, network.level_dims
        self.noise_dims = (prior.noise_dim, *network.level_dims[1:])
        self.deterministic = "point" in posterior.provides
        self.binary_levels = (0,) if "binary_posterior" in posterior.provides else ()

    def parts(self) -> dict[str, Any]:
        return {
            "model": self,
            "network": self.network,
            "posterior": self.posterior,
            "prior": self.prior,
            "likelihood": self.likelihood,
        }

    @property
    def architecture(self) -> str:
        return type(self.network).__name__

    @property
    def notes(self) -> dict[str, str]:
        """Lines of the objective card, label -> text."""
        units, vector, _ = self.level_dims
        channels, height, width = self.network.places
        return {
            "levels": (
                f"{units} units under prior={self.prior.name}; under N(0, I) {vector} numbers of "
                f"the whole image and {channels} x {height} x {width} of places"
            ),
            "encoder": f"shares {self.likelihood.network.first_layers} layers with the decoder",
        }

    def priors(self) -> list[Prior]:
        """Return the prior of each level."""
        return [self.prior, *(own for own in self.normals if isinstance(own, Prior))]

    def posteriors_of(self, images: Tensor) -> list[PosteriorDensity]:
        """Return q(z|x) of each level of (B, C, H, W) images in [0, 1]."""
        shared = self.likelihood.network.first_half(images)
        numbers = self.network.inference(torch.cat([images, shared], dim=1)).to(images.dtype)
        top, *below = numbers.split(list(self.network.level_parameters), dim=1)
        return [self.posterior(top), *(self.gaussian(own) for own in below)]

    def infer(self, images: Tensor, noise: tuple[Tensor, ...] | None = None) -> Inferred:
        densities = self.posteriors_of(images)
        if noise is not None and len(noise[0]) > len(images):
            densities = [own.repeat(len(noise[0]) // len(images)) for own in densities]
        each = [None] * LEVELS if noise is None else noise
        priors = self.priors()
        return Inferred(
            posteriors=tuple(densities),
            priors=tuple(prior() for prior in priors),
            latents=tuple(q.rsample(own) for q, own in zip(densities, each, strict=True)),
            kls=tuple(prior.kl(q) for prior, q in zip(priors, densities, strict=True)),
            penalties={},
        )

    def parameters_of(self, latents: tuple[Tensor, ...]) -> Tensor:
        code = joined(latents)
        return self.likelihood.link(self.network.generative(code)).to(code.dtype)

    def from_noise(self, noise: tuple[Tensor, ...], temperature: float = 1.0) -> tuple[Tensor, ...]:
        levels = zip(self.priors(), noise, strict=True)
        return tuple(prior.from_noise(own, temperature) for prior, own in levels)

    def groups(self) -> dict[Group, list[nn.Module]]:
        return {
            "inference": [self.network.inference, self.posterior, self.gaussian],
            "generative": [self.network.generative, self.likelihood, self.prior, self.normals],
        }
