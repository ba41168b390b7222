"""Samples as files."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from reslag_vae.apply.drawing import draw_samples, generator_of_pixels
from reslag_vae.apply.request import Request
from reslag_vae.apply.subject import Subject
from reslag_vae.evaluation.progress import silent
from reslag_vae.latents.noise import normal_rows
from reslag_vae.networks import Network
from reslag_vae.runs.picture_format import PictureFormat
from tests.systems import make_model


@pytest.fixture
def subject(make_network: Callable[..., Network], tmp_path: Path) -> Subject:
    return Subject(make_model(make_network()).eval(), None, tmp_path, PictureFormat())


@torch.no_grad()
def test_no_sample_of_an_earlier_request_is_left(subject: Subject, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for count in (12, 3):  # two digits, then one
        draw_samples(Request(tmp_path, sample=count, out=out), subject, None, silent)
        (out / "samples_prior" / "mine.png").touch()
    names = sorted(path.name for path in (out / "samples_prior").iterdir())
    assert names == ["1.png", "2.png", "3.png", "mine.png"]


def test_pixels_and_latents_are_of_other_random_numbers() -> None:
    latents, pixels = [], []
    for seed in range(200):
        latents.append(normal_rows(1, 16, torch.Generator().manual_seed(seed))[0])
        pixels.append(torch.rand(16, generator=generator_of_pixels(seed)))
    # A pair of normal numbers is made of a pair of uniform ones, of which one is its length.
    lengths = torch.stack(latents).square().view(-1, 2, 8).sum(1)
    first = torch.stack(pixels)[:, :8]
    for place in range(8):
        table = torch.stack([lengths[:, place], first[:, place]])
        assert abs(float(torch.corrcoef(table)[0, 1])) < 0.3
