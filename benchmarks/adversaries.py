"""A generative adversarial network whose generator is the decoder of a variational autoencoder."""

import itertools
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from reslag_vae.models import FlatModel

SLOPE = 0.2
RATE, BETAS = 2e-4, (0.5, 0.999)


class Discriminator(nn.Module):
    """A network that tells images from samples: a mirror image of the decoder's stages.

    As in DCGAN (Radford et al. 2016, https://arxiv.org/abs/1511.06434): strided convolutions, leaky
    ReLU, and one linear layer, in the sizes of the encoder. Spectral normalisation (Miyato et al.
    2018, https://arxiv.org/abs/1802.05957) takes the place of batch normalisation.

    Args:
        image_shape: (C, H, W) of the images.
        channels: channels of each stage, from the image inwards.
        blocks: convolutions of each stage, the first of which halves the size.
    """

    def __init__(
        self, image_shape: tuple[int, int, int], channels: list[int], blocks: list[int]
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        stages = zip(itertools.pairwise([image_shape[0], *channels]), blocks, strict=True)
        for (inner, outer), count in stages:
            layers += convolution(inner, outer, stride=2)
            for _ in range(count - 1):
                layers += convolution(outer, outer, stride=1)
        self.stages = nn.Sequential(*layers, nn.Flatten())
        features = self.stages(torch.zeros(1, *image_shape)).shape[1]
        self.score = spectral_norm(nn.Linear(features, 1))
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Return the (B,) scores of (B, C, H, W) images in [0, 1], higher for real ones."""
        scores: Tensor = self.score(self.stages(2 * images - 1))
        return scores[:, 0]


def convolution(inner: int, outer: int, stride: int) -> list[nn.Module]:
    """Return the layers of a convolution of the discriminator."""
    return [spectral_norm(nn.Conv2d(inner, outer, 3, stride, padding=1)), nn.LeakyReLU(SLOPE)]


class Adversaries(nn.Module):
    """A decoder as generator, and its discriminator, with what their training goes on from.

    The hinge loss (Lim & Ye 2017, https://arxiv.org/abs/1705.02894), one update of each for every
    minibatch, by Adam.

    Args:
        model: the model whose decoder is trained; nothing else of it changes.
        discriminator: the discriminator.
        seed: seed of the latents and of the minibatches.
    """

    def __init__(self, model: FlatModel, discriminator: Discriminator, seed: int) -> None:
        super().__init__()
        self.model, self.discriminator = model, discriminator
        self.random = torch.Generator().manual_seed(seed)
        self.optimizers = [
            torch.optim.Adam(network.parameters(), RATE, BETAS)
            for network in (self.decoder, discriminator)
        ]
        self.images_seen, self.seconds = 0, 0.0

    @property
    def decoder(self) -> nn.Module:
        """The decoder of the model, which generates."""
        return self.model.network.generative

    def step(self, images: Tensor) -> tuple[float, float]:
        """Update both by a minibatch of (B, C, H, W) images, and return their losses."""
        of_generator, of_discriminator = self.optimizers
        samples = self.model.parameters_of(self.model.sample_latents(len(images), self.random))
        real, fake = self.discriminator(images), self.discriminator(samples.detach())
        told = F.relu(1 - real).mean() + F.relu(1 + fake).mean()
        update(of_discriminator, told)

        fooled = -self.discriminator(samples).mean()
        update(of_generator, fooled)
        self.images_seen += len(images)
        return float(fooled.detach()), float(told.detach())

    def training_state(self) -> dict[str, Any]:
        """Return all that training goes on from."""
        return {
            "weights": self.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "random": self.random.get_state(),
            "images_seen": self.images_seen,
            "seconds": self.seconds,
        }

    def go_on_from(self, state: dict[str, Any]) -> None:
        """Go on from a `training_state`."""
        self.load_state_dict(state["weights"])
        for optimizer, own in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(own)
        self.random.set_state(state["random"])
        self.images_seen, self.seconds = state["images_seen"], state["seconds"]


def update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """Make a step of an optimizer by the gradient of a loss."""
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    optimizer.step()
