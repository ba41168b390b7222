"""What becomes of batches of pictures."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import DictConfig
from PIL import Image

from reslag_vae.apply.codes import encoded
from reslag_vae.apply.outputs import Reconstructions, Seen, keep_latents
from reslag_vae.apply.tables import Spool
from reslag_vae.evaluation import encode
from reslag_vae.latents import PrecisionWeightedPosterior, StandardNormal
from reslag_vae.likelihoods import Bernoulli
from reslag_vae.models import GenerativeModel, HierarchicalModel
from reslag_vae.networks import LadderNetwork, Network
from reslag_vae.training.build import build_system
from tests.systems import TINY, make_model


def ladder() -> GenerativeModel:
    network = LadderNetwork(
        (1, 8, 8), latent_dim=3, channels=[4, 6], blocks=[1, 1], latent_channels=[1, 2]
    )
    return HierarchicalModel(network, Bernoulli(), PrecisionWeightedPosterior(), StandardNormal(3))


@pytest.mark.parametrize("levels", [1, 2])
@torch.no_grad()
def test_a_sample_is_of_its_picture_alone(
    levels: int, make_network: Callable[..., Network]
) -> None:
    model = (make_model(make_network(), "sigma_fixed") if levels == 1 else ladder()).eval()
    images = torch.rand(7, 1, 8, 8).round()
    expected = encode(model, images, seed=3).latents
    for batches in ([[0, 1, 2, 3, 4, 5, 6]], [[0, 1], [2], [3, 4, 5, 6]], [[1, 2], [4, 6]]):
        with Spool() as spool:
            keep = keep_latents(spool, seed=3)
            for positions in batches:
                own = images[positions]
                keep(Seen(positions, [], own, own, encoded(model, own), model))
            found = torch.from_numpy(spool.rows().copy())
        rows = [position for positions in batches for position in positions]
        torch.testing.assert_close(found, expected[rows])


@torch.no_grad()
def test_reconstructions_that_are_samples_do_not_depend_on_the_batches(
    compose: Callable[..., DictConfig], tmp_path: Path
) -> None:
    small = ("likelihood.channels=4", "likelihood.layers=1", "likelihood.pixels=logistic_mixture")
    model = build_system(compose("model=pixelvae", *TINY, *small)).model.eval()
    pixels = torch.randint(256, (3, *model.image_shape), dtype=torch.uint8)
    names, written = ["a.png", "b.png", "c.png"], []
    for batches in ([[0, 1, 2]], [[0], [1, 2]]):
        folder = tmp_path / str(len(batches))
        draw = Reconstructions(model, folder, names, folder.mkdir)
        for rows in batches:
            images = pixels[rows] / 255
            own = [names[row] for row in rows]
            draw(Seen(rows, own, pixels[rows], images, encoded(model, images), model))
        written.append([np.array(Image.open(folder / name)) for name in names])
    for whole, parts in zip(*written, strict=True):
        np.testing.assert_array_equal(whole, parts)
