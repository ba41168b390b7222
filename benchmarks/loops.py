"""Training loops as people write them by hand, and what every contender trains on."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam
from torch.utils.data import DataLoader, Subset

from benchmarks.rounds import Job, Turns
from benchmarks.workloads import WORKS, composed
from reslag_vae._runtime import process
from reslag_vae.networks import Network
from reslag_vae.networks.normalization import BatchNorm
from reslag_vae.networks.upsampling import Doubling
from reslag_vae.runs.build import build_data, build_model

RATIO = 5  # encoder steps of an aggressive step
LEARNING_RATE = 2e-3
FILES = 1_024  # pictures on the disk, at most
Loss = Callable[[Network, Tensor], Tensor]


def loss_of(network: Network, images: Tensor) -> Tensor:
    """The loss of `sigma_data`, written out, of (B, C, H, W) images in [0, 1]."""
    mean, log_variance = network.inference(images).chunk(2, dim=1)
    latents = mean + (log_variance / 2).exp() * torch.randn_like(mean)
    rec = (network.generative(latents) - images).square().flatten(1).sum(1)
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
    sigma2 = images.var(unbiased=False)
    loss: Tensor = (images[0].numel() / 2 * sigma2.log() + rec / (2 * sigma2) + kl).mean()
    return loss


def loss_of_pixels(network: Network, pixels: Tensor) -> Tensor:
    """The same of uint8 images."""
    return loss_of(network, pixels.float() / 255)


def step(optimizer: Adam, loss: Tensor) -> None:
    """One joint update."""
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    optimizer.step()


def plain(job: Job, turns: Turns, compiled: bool = False, tuned: bool = False) -> None:
    """All images in memory, one index for each batch, on the device; `tuned` as our own training is."""
    network, pixels = network_of(job), pixels_of(job)
    if tuned:
        process.tune()
        network.to(memory_format=torch.channels_last)
        pixels = pixels.contiguous(memory_format=torch.channels_last)
    loss: Loss = loss_of_pixels
    if compiled:
        mode = "reduce-overhead" if device().type == "cuda" else None
        loss = torch.compile(loss_of_pixels, dynamic=False, mode=mode)
    optimizer = Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
    while True:
        with turns.timed():
            for batch in shuffled(pixels, job):
                step(optimizer, loss(network, batch))


def plain_aggressive(job: Job, turns: Turns) -> None:
    """Every gradient is computed for every update, and one Adam of two makes its step."""
    network, pixels = network_of(job), pixels_of(job)
    halves = (network.inference, network.generative)
    encoder, decoder = (Adam(half.parameters(), lr=LEARNING_RATE, fused=True) for half in halves)
    while True:
        with turns.timed():
            for batch in shuffled(pixels, job):
                for optimizer in [encoder] * RATIO + [decoder]:
                    network.zero_grad()
                    step(optimizer, loss_of_pixels(network, batch))


def data_loader(job: Job, turns: Turns) -> None:
    """torchvision's data set and PyTorch's loader, one image at a time, in two worker processes."""
    network, loader = network_of(job), loader_of(job)
    optimizer = Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
    while True:
        with turns.timed():
            for images, _ in loader:
                step(optimizer, loss_of(network, images.to(device())))


def device() -> torch.device:
    """The one that the Trainer would take."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def network_of(job: Job) -> Network:
    """The network of the work, ready to be trained, in PyTorch's usual memory layout and of PyTorch's own layers."""
    model = build_model(composed(WORKS[job.work], job.batch_size, job.count))
    network = model.network.to(device()).train()
    network.to(memory_format=torch.contiguous_format)
    plain: dict[type[nn.Module], type[nn.Module]] = {
        BatchNorm: nn.BatchNorm2d,
        Doubling: nn.ConvTranspose2d,
    }
    for module in network.modules():
        module.__class__ = plain.get(type(module), type(module))
    return network


def pixels_of(job: Job) -> Tensor:
    """(count, C, H, W) uint8 on the device, in PyTorch's usual memory layout."""
    config = composed(WORKS[job.work], job.batch_size, job.count)
    data = build_data(config, build_model(config))
    data.setup()
    return data.split("train").images.contiguous().to(device())


def shuffled(pixels: Tensor, job: Job) -> Iterable[Tensor]:
    """The batches of a turn."""
    order = torch.randperm(len(pixels), device=pixels.device)[: job.images]
    return (pixels[index] for index in torch.split(order, job.batch_size))


def loader_of(job: Job) -> DataLoader[Any]:
    """As the tutorials make it, over the images of one turn."""
    from benchmarks.files import WRITERS, torchvision_dataset

    files, folder = min(job.images, FILES), Path(job.folder)
    WRITERS[job.work](folder, files)
    # Where an epoch is longer than the files there are, it goes through them again.
    images = Subset(
        torchvision_dataset(job.work, folder), [index % files for index in range(job.images)]
    )
    return DataLoader(
        images, job.batch_size, shuffle=True, num_workers=2, persistent_workers=True, drop_last=True
    )
