import torch

from reslag_vae.likelihoods.pixels import unit_interval


def test_uint8_becomes_float32_in_the_unit_interval() -> None:
    grey = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    images = unit_interval(grey)

    assert images.dtype == torch.float32
    torch.testing.assert_close(
        images.double().flatten(), torch.arange(256, dtype=torch.float64) / 255, rtol=1e-7, atol=0
    )
    assert torch.equal((images * 255).round().to(torch.uint8), grey)
    assert grey.flatten()[255] == 255, "the batch itself was changed"


def test_floating_point_is_returned_as_it_is() -> None:
    for dtype in (torch.float16, torch.float32, torch.float64):
        images = torch.rand(2, 1, 3, 3).to(dtype)
        assert unit_interval(images) is images
