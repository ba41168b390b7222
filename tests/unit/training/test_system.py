"""The one training step, against loops written by hand."""

import copy
import functools
import math
import operator
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning import Trainer
from lightning.pytorch.callbacks import LambdaCallback
from torch import Tensor
from torch.optim import Adam

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.data import ImageDataModule
from reslag_vae.data.images import Batch
from reslag_vae.latents import DiagonalGaussian, Inferred, StandardNormal
from reslag_vae.likelihoods import (
    DataVariance,
    Gaussian,
)
from reslag_vae.models import FlatModel
from reslag_vae.models.generative import GROUPS
from reslag_vae.networks import LightResidualNetwork, Network, PlainNetwork, ResidualNetwork
from reslag_vae.objectives import ELBO, Capacity, Terms
from reslag_vae.training.forward import ForwardPass
from reslag_vae.training.schedules import Joint, Lagging, Schedule, Update
from reslag_vae.training.system import BaseVAE
from reslag_vae.variants import (
    VAE,
    BetaVAE,
    LaggingVAE,
    OptimalSigmaVAE,
)
from tests.graphs import Graphs, repeated
from tests.systems import make_system, network_of
from tests.updates import Recorder, epoch_batches, equal, shared_state, state

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]

NETWORKS = (PlainNetwork, ResidualNetwork, LightResidualNetwork)
SHAPE = (1, 8, 8)


def test_a_trainer_on_apples_gpu_is_refused_before_anything_is_moved_there(
    make_network: MakeNetwork,
) -> None:
    model = make_system(VAE, make_network(), "elbo")
    strategy = SimpleNamespace(root_device=torch.device("mps"))
    model.trainer = SimpleNamespace(strategy=strategy)  # type: ignore[assignment]
    with pytest.raises(ConfigError, match=r"^Trainer\(accelerator=\.\.\.\): Apple's GPU"):
        model.setup("fit")


def forward(model: BaseVAE, images: Tensor) -> Terms:
    """The terms by the model's parts, one after the other."""
    network, pixels = network_of(model), images / 255
    posterior = DiagonalGaussian.from_parameters(network.inference(pixels))
    latents = posterior.rsample(torch.randn(len(images), 3))
    prior = torch.randn(len(images), 3) if model.objective.draws_prior else None
    distortion = model.model.likelihood(pixels, network.generative(latents).sigmoid())
    kls, priors = (posterior.standard_kl(),), (StandardNormal(3)(),)
    inferred = Inferred((posterior,), priors, (latents,), kls, {})
    terms: Terms = model.objective(distortion, inferred, prior)
    return terms


def train_jointly_by_hand(model: BaseVAE, data: ImageDataModule, epochs: int) -> None:
    """One Adam over all parameters."""
    optimizer = Adam(model.parameters(), lr=2e-3, fused=True)
    for epoch in range(epochs):
        for batch in epoch_batches(data, epoch):
            terms = forward(model, batch.images)
            optimizer.zero_grad()
            terms.loss.mean().backward()
            optimizer.step()
            model.model.likelihood.observe(terms.extras)


def train_lagging_by_hand(model: BaseVAE, data: ImageDataModule, epochs: int, ratio: int) -> None:
    """A whole forward and backward; what must stand still is put back afterwards."""
    groups = {
        "inference": [network_of(model).inference],
        "generative": [network_of(model).generative, model.model.likelihood],
    }
    optimizers = {
        name: Adam([p for m in modules for p in m.parameters()], lr=2e-3, fused=True)
        for name, modules in groups.items()
    }
    for epoch in range(epochs):
        for batch in epoch_batches(data, epoch):
            for name, other in (("inference", "generative"),) * ratio + (
                ("generative", "inference"),
            ):
                kept = [copy.deepcopy(module.state_dict()) for module in groups[other]]
                terms = forward(model, batch.images)
                model.zero_grad()
                terms.loss.mean().backward()
                optimizers[name].step()
                for module, values in zip(groups[other], kept, strict=True):
                    module.load_state_dict(values)
            model.model.likelihood.observe(terms.extras)


@pytest.mark.parametrize("objective", ["elbo", "mmd", "sigma_optimal", "sigma_learned"])
def test_joint_training_is_one_adam_over_all_parameters(
    objective: str, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = make_system(LaggingVAE, make_network(), objective, Lagging(ratio=2, epochs=0))
    other, data = copy.deepcopy(model), make_data()
    torch.manual_seed(5)
    fit(model, data, epochs=3)
    torch.manual_seed(5)
    train_jointly_by_hand(other, data, epochs=3)
    assert equal(shared_state(model), shared_state(other))


@pytest.mark.parametrize("network", NETWORKS)
def test_lagging_training_is_the_naive_loop(
    network: type[Network], make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = make_system(
        LaggingVAE, make_network(network), "sigma_optimal", Lagging(ratio=3, epochs=2)
    )
    other, data = copy.deepcopy(model), make_data()
    torch.manual_seed(5)
    fit(model, data, epochs=2)
    torch.manual_seed(5)
    train_lagging_by_hand(other, data, epochs=2, ratio=3)
    assert equal(shared_state(model), shared_state(other))


def test_one_encoder_update_before_each_of_the_decoder_is_not_joint(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    network, data = make_network(), make_data()
    models = [
        make_system(LaggingVAE, copy.deepcopy(network), "elbo", Lagging(ratio=1, epochs=epochs))
        for epochs in (0, 1)
    ]
    for model in models:
        torch.manual_seed(5)
        fit(model, data)
    assert not equal(shared_state(models[0]), shared_state(models[1]))


@pytest.mark.parametrize("ratio", [1, 3])
def test_an_update_moves_its_own_group_alone(
    ratio: int, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = make_system(LaggingVAE, make_network(), "sigma_learned", Lagging(ratio=ratio, epochs=1))
    recorder = Recorder(model)
    fit(model, make_data(), epochs=2)
    aggressive = [(0, Update(("inference",)))] * ratio + [(0, Update(("generative",)))]
    assert recorder.updates == aggressive * 3 + [(1, Update(GROUPS))] * 3
    assert recorder.changed == [set(update.groups) for _, update in recorder.updates]
    assert recorder.differentiated == recorder.changed


def test_an_update_finds_nothing_left_of_the_one_before(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = make_system(LaggingVAE, make_network(), "sigma_optimal", Lagging(ratio=2, epochs=1))
    left: list[weakref.ref[Tensor]] = []
    alive: list[bool] = []
    original = model.update

    def update(batch: Batch, own: Update) -> ForwardPass:
        alive.extend(tensor() is not None for tensor in left)
        made = original(batch, own)
        left[:] = [weakref.ref(tensor) for tensor in (made.loss, *made.extras.values())]
        assert len(left) > 1
        return made

    model.update = update  # type: ignore[method-assign]
    fit(model, make_data())
    assert len(alive) >= 8
    assert not any(alive)


def test_batch_normalisation_takes_part_in_the_comparison(make_network: MakeNetwork) -> None:
    for group in (make_network().inference, make_network().generative):
        assert any(name.endswith("running_mean") for name in state([group]))


def test_same_batches_come_with_fresh_noise(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = make_system(LaggingVAE, make_network(), "elbo", Lagging(ratio=2, epochs=1))
    recorder, states = Recorder(model), []
    original = model.terms

    def terms(*given: Any) -> Terms:
        states.append(torch.get_rng_state())
        return original(*given)

    model.terms = terms  # type: ignore[method-assign, assignment]
    fit(model, make_data())
    for step in range(3):
        assert (
            recorder.images[3 * step]
            == recorder.images[3 * step + 1]
            == recorder.images[3 * step + 2]
        )
    assert len({tuple(each.tolist()) for each in states}) == 9


def test_fresh_batches_differ_and_the_decoder_sees_every_image_once(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = make_system(
        LaggingVAE, make_network(), "elbo", Lagging(ratio=4, epochs=2, batches="fresh")
    )
    recorder = Recorder(model)
    fit(model, make_data(), epochs=3)
    aggressive = recorder.images[:30]
    for start in range(0, 30, 5):
        assert len({tuple(sorted(images)) for images in aggressive[start : start + 5]}) == 5
    for epoch in (0, 1):
        decoder = [
            images
            for images, (e, u) in zip(recorder.images, recorder.updates, strict=True)
            if e == epoch
        ]
        assert sorted(functools.reduce(operator.iadd, decoder[4::5], [])) == list(range(22))
    assert aggressive[:15] != aggressive[15:]
    assert sorted(functools.reduce(operator.iadd, recorder.images[30:], [])) == list(range(22))


@pytest.mark.parametrize("schedule", [Joint(), Lagging(ratio=3, epochs=1)])
def test_the_moving_variance_takes_each_training_step_once(
    schedule: Schedule, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    rule = DataVariance(SHAPE, decay=0.5)
    model = OptimalSigmaVAE(FlatModel(make_network(), Gaussian(rule)), ELBO(), schedule)
    fit(model, make_data(), num_sanity_val_steps=2)
    data, running, weight = make_data(), 0.0, 0.0
    for batch in epoch_batches(data, 0):
        running = 0.5 * running + 0.5 * float((batch.images / 255).double().var(unbiased=False))
        weight = 0.5 * weight + 0.5
    assert float(rule.running) == pytest.approx(running, rel=1e-5)
    assert float(rule.weight) == pytest.approx(weight, rel=1e-6)


@pytest.mark.parametrize("objective", ["sigma_optimal", "mmd"])
def test_mixed_precision_keeps_the_likelihood_in_float32(
    objective: str, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = make_system(LaggingVAE, make_network(), objective, Lagging(ratio=1, epochs=1))
    recorder, outputs = Recorder(model), []
    network_of(model).generative.register_forward_hook(lambda *call: outputs.append(call[-1].dtype))
    fit(model, make_data(), precision="bf16-mixed")
    assert set(outputs) == {torch.bfloat16}
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    for forward in recorder.forwards:
        values = [forward.losses, forward.means.values, *forward.extras.values()]
        assert {value.dtype for value in values} == {torch.float32}
        assert forward.losses.isfinite().all()


@pytest.mark.parametrize("graphs", [False, True])
def test_a_group_that_a_callback_has_frozen_stands_still_while_the_other_moves(
    graphs: bool, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    system = make_system(LaggingVAE, make_network(), "elbo", Lagging(ratio=2, epochs=1))
    before = copy.deepcopy({name: system.group_parameters(name) for name in GROUPS})

    def freeze(*_: object) -> None:
        for parameter in system.group_parameters("inference"):
            parameter.requires_grad_(False)

    steps = [Graphs(repeated)] if graphs else []
    callback = LambdaCallback(on_train_epoch_start=freeze)
    fit(system, make_data(), epochs=2, callbacks=[*steps, callback])
    assert system.graphed is None or not system.graphed.failed
    still = {
        name: all(map(torch.equal, before[name], system.group_parameters(name))) for name in GROUPS
    }
    assert still == {"inference": True, "generative": False}


def test_where_a_callback_has_frozen_all_the_run_ends_in_a_sentence(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    system = make_system(VAE, make_network(), "elbo")
    freeze = LambdaCallback(on_train_start=lambda *_: system.requires_grad_(False))
    with pytest.raises(ConfigError, match="all of its parameters stand still"):
        fit(system, make_data(), callbacks=[freeze])


def test_a_last_minibatch_of_one_image_trains(make_data: MakeData, fit: Fit) -> None:
    """Also where the last stage is one pixel, of which there is no variance."""
    model = make_system(VAE, PlainNetwork((1, 8, 8), 3, [4, 4, 4], [1, 1, 1]))
    trainer = fit(model, make_data(train=17), epochs=2)
    assert math.isfinite(trainer.callback_metrics["val/loss"])


def test_images_seen_counts_the_images_of_training_alone(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model: Any = make_system(LaggingVAE, make_network(), "elbo", Lagging(ratio=3, epochs=1))
    fit(model, make_data(), epochs=2)
    assert model.images_seen == 44


def test_the_capacity_rises_with_the_epochs(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = make_system(BetaVAE, make_network(), "capacity", capacity=6, epochs=3)
    objective, seen = model.objective, []
    assert isinstance(objective, Capacity)
    original = model.terms
    model.terms = lambda *given: (seen.append(objective.current.item()), original(*given))[1]  # type: ignore[method-assign, func-returns-value]
    fit(model, make_data(train=8), epochs=5)
    assert seen == [2, 4, 6, 6, 6]
