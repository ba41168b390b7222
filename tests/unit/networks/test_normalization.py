"""The compiled form of batch normalisation beside PyTorch's."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reslag_vae.networks.normalization import BatchNorm, normalised

Traced = Callable[..., list[str]]
EPS = 1e-5


def inputs(
    offset: float = 0.0, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, Tensor]:
    features = (offset + torch.randn(4, 3, 5, 2)).to(dtype).requires_grad_()
    weight, bias = (torch.randn(3, dtype=dtype, requires_grad=True) for _ in range(2))
    return features, weight, bias


def test_values_and_gradients_are_those_of_pytorch() -> None:
    arguments = features, weight, bias = inputs()
    ours, mean, variance = normalised(features, weight, bias, EPS)
    theirs = F.batch_norm(features, None, None, weight, bias, training=True, eps=EPS)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(mean, features.mean((0, 2, 3)))
    torch.testing.assert_close(variance, features.var((0, 2, 3), unbiased=False))
    along = torch.randn_like(theirs)
    gradients = torch.autograd.grad(ours, arguments, along)
    torch.testing.assert_close(gradients, torch.autograd.grad(theirs, arguments, along))


def test_features_far_from_zero_do_not_cancel() -> None:
    # In float32 the mean of the squares, 1e8, holds no digit of a variance of 1 beside that of the
    # mean.
    arguments = [tensor.detach() for tensor in inputs(offset=1e4, dtype=torch.float32)]
    ours, _, variance = normalised(*arguments, EPS)
    features, weight, bias = (tensor.double() for tensor in arguments)
    torch.testing.assert_close(
        variance.double(), features.var((0, 2, 3), unbiased=False), rtol=1e-5, atol=0
    )
    theirs = F.batch_norm(features, None, None, weight, bias, training=True, eps=EPS)
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-5)


def test_bfloat16_is_computed_in_float32() -> None:
    features, weight, bias = (tensor.detach() for tensor in inputs(dtype=torch.float32))
    half = features.bfloat16()
    ours, mean, _ = normalised(half, weight, bias, EPS)
    assert mean.dtype == torch.float32
    theirs = F.batch_norm(half.float(), None, None, weight, bias, training=True, eps=EPS).bfloat16()
    torch.testing.assert_close(ours, theirs)


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("tracking", [True, False])
def test_the_compiled_module_goes_on_as_the_eager_one(tracking: bool) -> None:
    modules: list[nn.BatchNorm2d] = [nn.BatchNorm2d(3), BatchNorm(3)]
    weight, bias, along = torch.randn(3), torch.randn(3), torch.randn(4, 3, 5, 2)
    for module in modules:
        module.track_running_stats = tracking
        module.load_state_dict({**module.state_dict(), "weight": weight, "bias": bias})
    compiled = torch.compile(modules[1], fullgraph=True, dynamic=False)
    for step in range(3):
        features = torch.randn(4, 3, 5, 2, generator=torch.Generator().manual_seed(step))
        results = []
        for module in (compiled, modules[0]):
            leaf = features.clone().requires_grad_()
            result = module(leaf)
            (result * along).sum().backward()
            results.append((result, leaf.grad))
        torch.testing.assert_close(*results, rtol=1e-4, atol=1e-4)
    for ours, theirs in zip(modules[1].parameters(), modules[0].parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-4)
    for (name, theirs), ours in zip(
        modules[0].state_dict().items(), modules[1].state_dict().values(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6, msg=name)
    assert modules[1].num_batches_tracked == (3 if tracking else 0)


@pytest.mark.parametrize("training", [True, False])
def test_the_own_form_is_taken_where_it_is_compiled_for_training(
    training: bool, traced: Traced
) -> None:
    operations = traced(BatchNorm(3).train(training), torch.randn(4, 3, 2, 2))
    assert any("batch_norm" in operation for operation in operations) is not training
