"""Power spectra of images, by spatial frequency in cycles per pixel."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from reslag_vae.evaluation.iteration import chunk_size


class Spectra(NamedTuple):
    """The powers of N images, in float64 on the CPU; see `transform` for their unit.

    Attributes:
        upper: (N,) mean power over the upper half of spatial frequencies; see `upper_half`.
        radial: (N, R) mean power over each ring of frequencies; see `rings`.
    """

    upper: Tensor
    radial: Tensor


def spectra(batches: Iterable[Tensor]) -> Spectra:
    """Return the powers of images.

    Args:
        batches: (B, C, H, W) floating-point images, at least one in all.
    """
    parts = []
    for images in batches:
        for part in torch.split(images, chunk_size(images[0].numel(), images.device)):
            parts.append(spectra_of(transform(part)))
    return joined_spectra(parts)


def joined_spectra(parts: list[Spectra]) -> Spectra:
    """Return the powers of parts as those of all images."""
    uppers, radials = zip(*parts, strict=True)
    return Spectra(torch.cat(uppers), torch.cat(radials))


def transform(images: Tensor) -> Tensor:
    """Return the (B, C, H, W) discrete Fourier transforms of images, in complex128.

    Each channel's own mean is taken away first, and the rest is multiplied by a Hann window in
    height and in width. The transform takes an image as periodic; without the window the jump from
    one border to the opposite one would count as detail, of a mere gradient of grey, too, and a
    blurred image would be given back a part of what it lost. The price is that pixels at the border
    count less than those in the middle. The unit is such that white noise of variance s2 has a
    power, the squared modulus, of s2 at every frequency in the mean.

    Args:
        images: (B, C, H, W) floating point.
    """
    height, width = images.shape[-2:]
    weights = hann(height, images.device)[:, None] * hann(width, images.device)
    values = images.double()
    centred = values - values.mean((-2, -1), keepdim=True)
    transformed: Tensor = torch.fft.fft2(centred * weights) / weights.square().sum().sqrt()
    return transformed


def hann(count: int, device: torch.device) -> Tensor:
    """Return a (count,) Hann window, which a mirror image leaves alone, in float64."""
    places = torch.arange(count, dtype=torch.float64, device=device) + 0.5
    return (torch.pi * places / count).sin().square()


def spectra_of(transforms: Tensor) -> Spectra:
    """Return the powers of (B, C, H, W) transforms: means over channels and frequencies."""
    powers = transforms.abs().square().mean(1).flatten(1)
    height, width = transforms.shape[-2:]
    ring = rings(height, width).flatten().to(powers.device)
    inside = ring > 0
    count = min(height, width) // 2
    sums = powers.new_zeros(len(powers), count)
    sums.index_add_(1, ring[inside] - 1, powers[:, inside])
    radial = sums / torch.bincount(ring, minlength=count + 1)[1:]
    return Spectra(upper_mean(powers.view(-1, height, width)).cpu(), radial.cpu())


def shared_power(a: Tensor, b: Tensor) -> Tensor:
    """Return the (B,) real parts of the cross-spectra of two images, their means as in `upper`.

    Args:
        a: (B, C, H, W) transforms.
        b: (B, C, H, W) transforms of other images.
    """
    return upper_mean((a * b.conj()).real.mean(1)).cpu()


def upper_mean(values: Tensor) -> Tensor:
    """Return (B,) means of (B, H, W) values over the upper half of spatial frequencies."""
    height, width = values.shape[-2:]
    return values[:, upper_half(height, width).to(values.device)].mean(1)


def upper_half(height: int, width: int) -> Tensor:
    """Return (H, W) bool, whether a frequency of the transform is in the upper half.

    These are the radial frequencies from 0.25 to 0.5 cycles per pixel, both included. The corners
    of the transform, from there to 0.71, are left out: only diagonal details have such frequencies.
    An image of one pixel has none.
    """
    squares = squared_frequencies(height, width)
    return (16 * squares >= (height * width) ** 2) & within(height, width)


def rings(height: int, width: int) -> Tensor:
    """Return the (H, W) number of the ring that each frequency of the transform is in.

    Rings 1 to R = min(H, W) // 2 lie about R frequencies that are evenly spaced up to
    R / min(H, W). Frequency 0, what is nearer to it than to ring 1, and the corners above 0.5 are
    in none and have number 0.
    """
    shorter = min(height, width)
    radius = squared_frequencies(height, width).double().sqrt() / (height * width)
    nearest = (radius * shorter).round().long().clamp_max(shorter // 2)
    return nearest.where(within(height, width), torch.zeros(()).long())


def ring_frequencies(height: int, width: int) -> Tensor:
    """Return the (R,) frequencies that the rings lie about, in cycles per pixel."""
    shorter = min(height, width)
    return torch.arange(1, shorter // 2 + 1).double() / shorter


def within(height: int, width: int) -> Tensor:
    """Return (H, W) bool, whether a radial frequency is at most 0.5 cycles per pixel."""
    return 4 * squared_frequencies(height, width) <= (height * width) ** 2


def squared_frequencies(height: int, width: int) -> Tensor:
    """Return (H, W) squares of the radial frequencies, in whole units of (1 / (H · W))²."""
    rows = torch.fft.fftfreq(height, 1 / height).round().long() * width
    columns = torch.fft.fftfreq(width, 1 / width).round().long() * height
    squares: Tensor = rows.square()[:, None] + columns.square()
    return squares
