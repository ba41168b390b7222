import pytest
import torch

from reslag_vae.latents import Point, PointPosterior


def test_point_is_its_code_and_has_no_kl() -> None:
    code = torch.randn(4, 2)
    assert Point(code).rsample() is code
    assert Point(code).rsample(torch.randn(4, 2)) is code
    assert Point(code).standard_kl() is None


def test_point_has_no_density() -> None:
    point = PointPosterior()(torch.randn(4, 2))
    assert not point.has_density
    assert point.log_variance is None
    with pytest.raises(TypeError, match="has no density"):
        point.log_prob(torch.zeros(4, 2))
