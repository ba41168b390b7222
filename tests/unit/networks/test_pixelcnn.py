"""The gated PixelCNN sees the pixels before it, all of them within reach, and none other."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from reslag_vae.networks.pixelcnn import GatedPixelCNN, kept_bytes
from reslag_vae.networks.pixelcnn_sampling import generate


class Sizes(NamedTuple):
    """Sizes of a network and of its images."""

    size: tuple[int, int]
    colours: int = 1
    context: int = 2
    layers: int = 3
    first_kernel: int = 3
    kernel: int = 3
    conditioned: int | None = 3
    shortcuts: bool = False


CASES = (
    Sizes((5, 6)),
    Sizes((6, 5), colours=3, first_kernel=7, kernel=5),
    Sizes((4, 7), layers=1),
    Sizes((7, 4), kernel=1, layers=4, first_kernel=5),
    Sizes((1, 6), context=0),
    Sizes((6, 1), context=0, conditioned=1),
    Sizes((5, 6), layers=4, conditioned=None, shortcuts=True),
    Sizes((6, 5), colours=3, layers=5, first_kernel=5, conditioned=None, shortcuts=True),
    Sizes((4, 5), layers=2, kernel=1, context=0, conditioned=None, shortcuts=True),
)
each_case = pytest.mark.parametrize("case", CASES)


def build(case: Sizes) -> GatedPixelCNN:
    torch.manual_seed(0)
    network = GatedPixelCNN(
        image_channels=case.colours,
        context_channels=case.context,
        outputs=2,
        channels=16,
        layers=case.layers,
        first_kernel=case.first_kernel,
        kernel=case.kernel,
        conditioned=case.conditioned,
        shortcuts=case.shortcuts,
    ).double()
    for parameter in network.parameters():
        parameter.data.mul_(2)  # so that no gate is so flat that rounding hides what it sees
    return network


def draw(case: Sizes, count: int = 2) -> tuple[Tensor, Tensor]:
    """Images and contexts."""
    generator = torch.Generator().manual_seed(1)
    shapes = [(count, channels, *case.size) for channels in (case.colours, case.context)]
    images, context = (
        torch.rand(shape, dtype=torch.float64, generator=generator) for shape in shapes
    )
    return images, context


def dependence(case: Sizes) -> Tensor:
    """(H·W, H·W) whether the outputs of a pixel, by rows, depend on another pixel's value."""
    network, (images, context) = build(case), draw(case, 1)
    jacobian = torch.autograd.functional.jacobian(lambda x: network(x, context), images)
    assert isinstance(jacobian, Tensor)
    pixels = case.size[0] * case.size[1]
    sums = jacobian[0, :, :, :, 0].abs().sum((0, 3))
    return sums.reshape(pixels, pixels) > 0


def within_reach(case: Sizes) -> Tensor:
    """(H·W, H·W) whether a pixel lies before another one, near enough for the layers to see it."""
    height, width = case.size
    reach = case.first_kernel // 2 + (case.layers - 1) * (case.kernel // 2)
    pixels = [(row, column) for row in range(height) for column in range(width)]
    seen = torch.zeros(len(pixels), len(pixels), dtype=torch.bool)
    for i, (row, column) in enumerate(pixels):
        for j, (other_row, other_column) in enumerate(pixels):
            above = 0 < row - other_row <= reach and abs(column - other_column) <= reach
            left = row == other_row and 0 < column - other_column <= reach
            seen[i, j] = above or left
    return seen


@each_case
def test_a_pixel_sees_those_before_it_and_no_other(case: Sizes) -> None:
    seen = dependence(case)

    assert not seen.triu().any(), "a pixel sees itself or one that comes later"
    assert torch.equal(seen, seen & within_reach(case))


@pytest.mark.parametrize("case", [own for own in CASES if own.kernel > 1 or own.layers == 1])
def test_there_is_no_blind_spot(case: Sizes) -> None:
    assert torch.equal(dependence(case), within_reach(case))


@each_case
def test_it_says_how_many_rows_it_sees(case: Sizes) -> None:
    tall = case._replace(size=(14, 3), colours=1)
    seen = dependence(tall)
    rows = [(own // 3) - (other // 3) for own, other in seen.nonzero().tolist()]

    assert build(tall).rows_above == max(rows)


@pytest.mark.parametrize("conditioned", [1, 2, 3])
def test_the_first_layers_see_the_context(conditioned: int) -> None:
    network = build(Sizes((5, 5), conditioned=conditioned))
    seen = [layer.context is not None for layer in network.gated_layers()]

    assert seen == [layer < conditioned for layer in range(3)]


@pytest.mark.parametrize(("layers", "sources"), [(4, [None, None, 1, 0]), (3, [None, None, 0])])
def test_with_short_cuts_the_second_half_sees_the_first_and_the_context(
    layers: int, sources: list[int | None]
) -> None:
    network = build(Sizes((5, 5), layers=layers, conditioned=None, shortcuts=True))
    own = list(network.gated_layers())

    assert network.sources == sources
    assert [layer.shortcut is not None for layer in own] == [
        source is not None for source in sources
    ]
    assert [layer.context is not None for layer in own] == [i >= layers // 2 for i in range(layers)]


@pytest.mark.parametrize("stack", ["vertical", "horizontal"])
@pytest.mark.parametrize("layer", [2, 3])
@torch.no_grad()
def test_every_short_cut_matters(layer: int, stack: str) -> None:
    case = Sizes((5, 5), layers=4, conditioned=None, shortcuts=True)
    network, (images, context) = build(case), draw(case)
    before = network(images, context)
    shortcut = list(network.gated_layers())[layer].shortcut
    getattr(shortcut, stack).weight.zero_()

    assert not torch.allclose(before, network(images, context))


def test_the_first_half_s_features_of_a_pixel_see_those_before_it_alone() -> None:
    case = Sizes((4, 4), layers=4, conditioned=None, shortcuts=True)
    network, (images, _) = build(case), draw(case, 1)
    jacobian = torch.autograd.functional.jacobian(network.first_half, images)
    assert isinstance(jacobian, Tensor)
    seen = jacobian[0, :, :, :, 0].abs().sum((0, 3)).reshape(16, 16) > 0

    assert seen.any()
    assert not seen.triu().any()


@torch.no_grad()
def test_a_context_of_one_pixel_is_that_of_every_pixel() -> None:
    case = Sizes((5, 5))
    network, (images, context) = build(case), draw(case)
    one = context[:, :, :1, :1]

    torch.testing.assert_close(network(images, one), network(images, one.expand(-1, -1, 5, 5)))


@torch.no_grad()
def test_every_pixel_s_context_matters_to_it() -> None:
    case = Sizes((4, 4))
    network, (images, context) = build(case), draw(case)
    before = network(images, context)
    for row, column in ((0, 0), (3, 1), (3, 3)):
        moved = context.clone()
        moved[:, :, row, column] += 1
        assert not torch.equal(network(images, moved)[:, :, row, column], before[:, :, row, column])


def naive(network: GatedPixelCNN, context: Tensor, uniforms: Tensor) -> Tensor:
    """Samples by one pass of the whole network for each pixel."""
    images = torch.zeros_like(uniforms)
    for row in range(uniforms.shape[2]):
        for column in range(uniforms.shape[3]):
            outputs = network(images, context)[:, :, row, column]
            images[:, :, row, column] = value(outputs, uniforms[:, :, row, column])
    return images


def value(outputs: Tensor, uniforms: Tensor) -> Tensor:
    """A pixel's value, a smooth function of all of its outputs."""
    return (outputs.sum(1, keepdim=True) + uniforms).sigmoid()


@each_case
@pytest.mark.parametrize("wide", [True, False])
@torch.no_grad()
def test_incremental_sampling_gives_the_samples_of_the_naive_loop(case: Sizes, wide: bool) -> None:
    network, (uniforms, context) = build(case), draw(case, 3)
    context = context if wide else context[:, :, :1, :1]
    images = generate(
        network, context, case.size, lambda outputs, i, j: value(outputs, uniforms[:, :, i, j])
    )

    torch.testing.assert_close(images, naive(network, context, uniforms), rtol=0, atol=1e-12)


@each_case
def test_the_memory_of_a_pass_is_known_before_it(case: Sizes) -> None:
    """Beside the weights, which batches share."""
    network, (images, context) = build(case).float(), draw(case, 3)
    sizes: dict[int, int] = {}
    alive: list[Tensor] = []

    def cost(images: Tensor, outputs: Tensor) -> Tensor:
        return outputs.exp()

    def keep(tensor: Tensor) -> Tensor:
        alive.append(tensor)
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        cost(images, network(images.float(), context.float().requires_grad_()))
    for parameter in network.parameters():
        sizes.pop(parameter.untyped_storage().data_ptr(), None)
    assert 3 * kept_bytes(network, case.size, cost) == sum(sizes.values())
