"""Radial power spectra."""

import numpy as np
import pytest
import torch
from torch import Tensor

from reslag_vae.evaluation.pictures import power_spectra

FREQUENCIES = torch.tensor([0.125, 0.25, 0.375, 0.5]).double()


def powers(*values: float) -> Tensor:
    return torch.tensor(values).double()


def test_originals_and_each_source_of_each_model_have_a_line() -> None:
    sources = {"reconstructions": powers(1, 0.1, 0.01, 0), "samples": powers(2, 0.2, 0.02, 0.002)}
    [axis] = power_spectra(
        FREQUENCIES, powers(4, 3, 2, 1), {"VAE": sources, "ResLag": sources}
    ).axes
    lines = {line.get_label(): line for line in axis.lines}
    assert list(lines) == [
        "originals",
        "VAE, reconstructions",
        "VAE, samples",
        "ResLag, reconstructions",
        "ResLag, samples",
    ]
    assert axis.get_yscale() == "log"
    assert axis.yaxis.get_major_formatter()(0.001) == "0.001"
    assert lines["originals"].get_xdata() == pytest.approx(FREQUENCIES.numpy())
    assert lines["VAE, samples"].get_ydata() == pytest.approx([2, 0.2, 0.02, 0.002])
    assert np.isnan(lines["VAE, reconstructions"].get_ydata()).tolist() == [False] * 3 + [True]
    colours = {label: line.get_color() for label, line in lines.items()}
    assert colours["VAE, samples"] == colours["VAE, reconstructions"]
    assert len(set(colours.values())) == 3
    styles = [line.get_linestyle() for line in axis.lines[1:3]]
    assert styles == ["-", "--"]


def test_images_without_power_are_drawn_empty() -> None:
    figure = power_spectra(
        FREQUENCIES, powers(0, 0, 0, 0), {"VAE": {"samples": powers(0, 0, 0, 0)}}
    )
    figure.canvas.draw()  # type: ignore[attr-defined]
    assert figure.axes[0].get_yscale() == "linear"
