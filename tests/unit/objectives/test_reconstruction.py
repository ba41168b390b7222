import pytest
import torch

from reslag_vae.latents import Point
from reslag_vae.likelihoods import SquaredError
from reslag_vae.objectives import Reconstruction
from tests.inferred import infer


def test_loss_is_the_squared_error() -> None:
    images, reconstruction, codes = (
        torch.rand(4, 2, 3, 3).double(),
        torch.rand(4, 2, 3, 3).double(),
        torch.randn(4, 2),
    )
    terms = Reconstruction()(SquaredError()(images, reconstruction), infer(Point(codes)))

    for i in range(4):
        pixels = zip(
            images[i].flatten().tolist(), reconstruction[i].flatten().tolist(), strict=True
        )
        assert terms.loss[i].item() == pytest.approx(
            sum((x - y) ** 2 for x, y in pixels), rel=1e-12
        )
    assert torch.equal(terms.loss, terms.rec)
    assert terms.kl is None
    assert not Reconstruction().requires
