"""Training loops as people write them by hand, and the network and data of all contenders."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam
from torch.utils.data import DataLoader, Subset

from benchmarks.rounds import Job, Turns
from benchmarks.workloads import WORKLOADS, compose_config
from reslag_vae._runtime import process
from reslag_vae.networks import Network
from reslag_vae.networks.normalization import BatchNorm
from reslag_vae.networks.upsampling import Doubling
from reslag_vae.runs.build import build_parts
from reslag_vae.runs.data import build_data

RATIO = 5  # encoder steps of an aggressive step
LEARNING_RATE = 2e-3
FILES = 1_024  # most pictures on the disk
Loss = Callable[[Network, Tensor], Tensor]


def loss_of(network: Network, images: Tensor) -> Tensor:
    """Return the loss of `sigma_data`, written out, of (B, C, H, W) images in [0, 1]."""
    mean, log_variance = network.inference(images).chunk(2, dim=1)
    latents = mean + (log_variance / 2).exp() * torch.randn_like(mean)
    rec = (network.generative(latents).sigmoid() - images).square().flatten(1).sum(1)
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
    sigma2 = images.var(unbiased=False)
    loss: Tensor = (images[0].numel() / 2 * sigma2.log() + rec / (2 * sigma2) + kl).mean()
    return loss


def loss_of_pixels(network: Network, pixels: Tensor) -> Tensor:
    """Return the loss of `sigma_data` of (B, C, H, W) uint8 images."""
    return loss_of(network, pixels.float() / 255)


def step(optimizer: Adam, loss: Tensor) -> None:
    """Make one joint update."""
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    optimizer.step()


def plain(job: Job, turns: Turns, compiled: bool = False, tuned: bool = False) -> None:
    """Train with all images in device memory and one index for each batch.

    `tuned` uses the memory layout and the allocator settings of our own training.
    """
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
    """Train aggressively by two Adams, computing every gradient for every update."""
    network, pixels = network_of(job), pixels_of(job)
    encoder = Adam(network.inference.parameters(), lr=LEARNING_RATE, fused=True)
    decoder = Adam(network.generative.parameters(), lr=LEARNING_RATE, fused=True)
    while True:
        with turns.timed():
            for batch in shuffled(pixels, job):
                for optimizer in [encoder] * RATIO + [decoder]:
                    network.zero_grad()
                    step(optimizer, loss_of_pixels(network, batch))


def data_loader(job: Job, turns: Turns) -> None:
    """Train over torchvision's data set and PyTorch's loader.

    The images are read one at a time, in two worker processes.
    """
    network, loader = network_of(job), loader_of(job)
    optimizer = Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
    while True:
        with turns.timed():
            for images, _ in loader:
                step(optimizer, loss_of(network, images.to(device())))


def device() -> torch.device:
    """Return the device that the Trainer would choose."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def network_of(job: Job) -> Network:
    """Return the workload's network, made of PyTorch's own layers and ready to be trained.

    Its weights are in PyTorch's usual memory layout.
    """
    config = compose_config(WORKLOADS[job.workload], job.batch_size, job.count)
    model: Any = build_parts(config.model).model
    network: Network = model.network.to(device()).train()
    network.to(memory_format=torch.contiguous_format)
    plain: dict[type[nn.Module], type[nn.Module]] = {
        BatchNorm: nn.BatchNorm2d,
        Doubling: nn.ConvTranspose2d,
    }
    for module in network.modules():
        module.__class__ = plain.get(type(module), type(module))
    return network


def pixels_of(job: Job) -> Tensor:
    """Return (count, C, H, W) uint8 images on the device, in PyTorch's usual memory layout."""
    config = compose_config(WORKLOADS[job.workload], job.batch_size, job.count)
    model: Any = build_parts(config.model).model
    data = build_data(config, model)
    data.setup()
    return data.split("train").images.contiguous().to(device())


def shuffled(pixels: Tensor, job: Job) -> Iterable[Tensor]:
    """Return the batches of a turn, in random order."""
    order = torch.randperm(len(pixels), device=pixels.device)[: job.images]
    return (pixels[index] for index in torch.split(order, job.batch_size))


def loader_of(job: Job) -> DataLoader[Any]:
    """Return a DataLoader as the tutorials make it, over the images of one turn."""
    from benchmarks.files import WRITERS, torchvision_dataset

    files, folder = min(job.images, FILES), Path(job.folder)
    WRITERS[job.workload](folder, files)
    # An epoch that is longer than the number of files goes through them again.
    indices = [index % files for index in range(job.images)]
    images = Subset(torchvision_dataset(job.workload, folder), indices)
    return DataLoader(
        images, job.batch_size, shuffle=True, num_workers=2, persistent_workers=True, drop_last=True
    )
