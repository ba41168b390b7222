"""The random numbers of a training step."""

import torch

from reslag_vae.latents import GaussianPosterior, StandardNormal
from reslag_vae.likelihoods import SquaredError
from reslag_vae.models import HierarchicalModel
from reslag_vae.networks import DeepResidualNetwork
from reslag_vae.objectives import MMD
from reslag_vae.training.noise import draw_noise


def test_samples_of_a_hierarchy_leave_running_averages_alone() -> None:
    network = DeepResidualNetwork((1, 8, 8), 2, [4, 8], [2, 2], levels=2)
    model = HierarchicalModel(network, SquaredError(), GaussianPosterior(), StandardNormal(2))
    before = {name: value.clone() for name, value in model.named_buffers()}
    assert any(name.endswith("running_mean") for name in before)

    _, prior = draw_noise(model, MMD(), torch.rand(6, 1, 8, 8))
    for name, value in model.named_buffers():
        assert torch.equal(value, before[name]), name
    # The samples are still those of training: they move the priors below the top.
    assert prior is not None
    gradients = torch.autograd.grad(prior.square().sum(), [*network.generative.heads.parameters()])
    assert all(own.any() for own in gradients)
    # And what follows has averages again.
    model.infer_and_decode(torch.rand(6, 1, 8, 8))
    assert any(not torch.equal(value, before[name]) for name, value in model.named_buffers())
