import pytest
import torch
from torch import nn

from reslag_vae.networks.blocks import Crop, down_stage, stage_sizes, up_stage


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((28, 28), [(28, 28), (14, 14), (7, 7), (4, 4)]),
        ((29, 31), [(29, 31), (15, 16), (8, 8), (4, 4)]),
        ((64, 64), [(64, 64), (32, 32), (16, 16), (8, 8)]),
    ],
)
def test_sizes_halve_rounding_up(size: tuple[int, int], expected: list[tuple[int, int]]) -> None:
    assert stage_sizes((3, *size), 3) == expected


@pytest.mark.parametrize("blocks", [1, 2, 3])
@pytest.mark.parametrize("size", [(28, 28), (7, 7), (5, 8), (2, 3)])
def test_stages_mirror_each_other(size: tuple[int, int], blocks: int) -> None:
    images = torch.randn(2, 3, *size)
    features = down_stage(3, 6, blocks)(images)
    back = up_stage(6, 3, blocks, size, last=False)(features)

    assert features.shape == (2, 6, *stage_sizes((3, *size), 1)[1])
    assert back.shape == images.shape


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_a_stage_has_the_number_of_convolutions_asked_for(blocks: int) -> None:
    convolutions = (nn.Conv2d, nn.ConvTranspose2d)
    for stage in (down_stage(3, 6, blocks), up_stage(6, 3, blocks, (8, 8), last=True)):
        assert sum(isinstance(module, convolutions) for module in stage) == blocks


def test_the_last_stage_ends_in_its_convolution() -> None:
    # The likelihood's link comes after it: nothing bounds or normalises the outputs.
    stage = up_stage(4, 3, 1, (7, 7), last=True).double()
    first, second = 100 * torch.randn(2, 2, 4, 4, 4, dtype=torch.float64)
    outputs = stage(first)

    assert outputs.min() < 0
    assert outputs.max() > 1
    middle = stage((first + second) / 2)
    torch.testing.assert_close(middle, (outputs + stage(second)) / 2, rtol=1e-10, atol=1e-10)


def test_every_output_pixel_is_reached_by_as_many_taps() -> None:
    # No checkerboard: with all weights equal, a constant stays constant away from the border.
    stage = up_stage(1, 1, 1, (16, 16), last=True)
    double = stage[0]
    assert isinstance(double, nn.ConvTranspose2d)
    assert double.bias is not None
    nn.init.ones_(double.weight)
    nn.init.zeros_(double.bias)
    inner = double(torch.ones(1, 1, 8, 8))[..., 1:-1, 1:-1]

    assert torch.equal(inner, torch.full_like(inner, 4.0))


def test_crop_keeps_the_upper_left() -> None:
    images = torch.arange(16.0).view(1, 1, 4, 4)
    assert Crop((3, 2))(images).tolist() == [[[[0, 1], [4, 5], [8, 9]]]]
    assert "3 x 2" in repr(Crop((3, 2)))
