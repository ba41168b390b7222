"""The one training step, against loops written by hand."""

import copy
import functools
import math
import operator
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.optim import Adam

from reslag_vae._runtime.errors import NonFiniteError
from reslag_vae.data import ImageDataModule
from reslag_vae.evaluation.losses import evaluate
from reslag_vae.networks import LightResidualNetwork, Network, PlainNetwork, ResidualNetwork
from reslag_vae.objectives import (
    ELBO,
    MMD,
    Beta,
    Capacity,
    Objective,
    Reconstruction,
    SigmaData,
    SigmaFixed,
    SigmaLearned,
    SigmaOptimal,
)
from reslag_vae.objectives.sigma import SIGMA2_FLOOR
from reslag_vae.records import Batch, Terms
from reslag_vae.training.callbacks import BestAndLast
from reslag_vae.training.optimizers import AdamSettings, Plateau
from reslag_vae.training.schedules import GROUPS, Joint, Lagging, Schedule, Update
from reslag_vae.training.system import BaseVAE
from reslag_vae.variants import (
    VAE,
    AutoEncoder,
    BetaVAE,
    LaggingVAE,
    MMDInfoVAE,
    OptimalSigmaVAE,
    ResLagLightVAE,
    ResLagVAE,
)

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]

VARIANTS = (
    AutoEncoder,
    VAE,
    BetaVAE,
    MMDInfoVAE,
    OptimalSigmaVAE,
    LaggingVAE,
    ResLagVAE,
    ResLagLightVAE,
)
NETWORKS = (PlainNetwork, ResidualNetwork, LightResidualNetwork)
SHAPE = (1, 8, 8)
OBJECTIVES: dict[str, Callable[[], Objective]] = {
    "elbo": ELBO,
    "beta": Beta,
    "capacity": Capacity,
    "mmd": MMD,
    "reconstruction": Reconstruction,
    "sigma_data": lambda: SigmaData(SHAPE),
    "sigma_optimal": lambda: SigmaOptimal(SHAPE),
    "sigma_learned": lambda: SigmaLearned(SHAPE),
    "sigma_fixed": lambda: SigmaFixed(0.05),
}


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Bitwise."""
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


def state(modules: list[nn.Module]) -> dict[str, Tensor]:
    """A copy of all parameters and buffers."""
    return {
        f"{i}.{k}": v.clone()
        for i, module in enumerate(modules)
        for k, v in module.state_dict().items()
    }


def shared_state(model: BaseVAE) -> dict[str, Tensor]:
    """Of the network and the objective."""
    return state([model.network, model.objective])


def gradients(model: BaseVAE, name: str) -> list[Tensor | None]:
    """A copy of the gradients of a group."""
    return [None if p.grad is None else p.grad.clone() for p in model.parameters_of(name)]  # type: ignore[arg-type]


def epoch_batches(data: ImageDataModule, epoch: int) -> Iterator[Batch]:
    """The minibatches that a Trainer gives the model in an epoch."""
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
    yield from loader


def forward(model: BaseVAE, images: Tensor) -> Terms:
    """The terms by the model's parts, one after the other."""
    posterior = model.posterior(images)
    latents = posterior.sample(torch.randn(len(images), 3))
    prior = torch.randn(len(images), 3) if model.objective.draws_prior else None
    terms: Terms = model.objective(
        images / 255, model.network.generative(latents), posterior, latents, prior
    )
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
            model.objective.observe(terms)


def train_lagging_by_hand(model: BaseVAE, data: ImageDataModule, epochs: int, ratio: int) -> None:
    """Train with a whole forward and backward pass for every update.

    What must not change in an update is put back afterwards.
    """
    groups = {
        "inference": [model.network.inference],
        "generative": [model.network.generative, model.objective],
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
            model.objective.observe(terms)


class Recorder:
    """A record of every update: its groups, its images, and each group before and after.

    A group's record is its state and gradients.
    """

    def __init__(self, model: BaseVAE) -> None:
        self.model, self.original = model, model._update
        self.updates: list[tuple[int, Update]] = []
        self.images: list[list[int]] = []
        self.changed: list[set[str]] = []
        self.differentiated: list[set[str]] = []
        self.norms: list[dict[str, float]] = []
        self.terms: list[Terms] = []
        model._update = self  # type: ignore[method-assign, assignment]

    def __call__(self, batch: Batch, update: Update) -> Terms:
        model = self.model
        before = {name: (state(model.group(name)), gradients(model, name)) for name in GROUPS}
        terms = self.original(batch, update)
        after = {name: (state(model.group(name)), gradients(model, name)) for name in GROUPS}
        self.updates.append((model.current_epoch, update))
        self.images.append(batch.images[:, 0, 0, 0].tolist())
        self.changed.append({name for name in GROUPS if not equal(before[name][0], after[name][0])})
        self.differentiated.append(
            {name for name in GROUPS if any(g is not None for g in after[name][1])}
        )
        self.norms.append({name: norm(after[name][1]) for name in GROUPS})
        self.terms.append(terms)
        return terms


def same(first: list[Tensor | None], second: list[Tensor | None]) -> bool:
    """Bitwise, None only where None."""
    pairs = list(zip(first, second, strict=True))
    return all(torch.equal(a, b) if a is not None and b is not None else a is b for a, b in pairs)


def norm(values: list[Tensor | None]) -> float:
    """Of all gradients together."""
    return math.sqrt(sum(float(value.square().sum()) for value in values if value is not None))


class Fed:
    """Gives a model's validations the values of a list, one after the other."""

    def __init__(self, model: BaseVAE, name: str, values: list[float]) -> None:
        self.original, self.name, self.values = model.end_evaluation, name, iter(values)
        model.end_evaluation = self  # type: ignore[method-assign, assignment]

    def __call__(self) -> dict[str, float]:
        return self.original() | {self.name: next(self.values)}


# The schedules


@pytest.mark.parametrize("objective", ["elbo", "mmd", "sigma_optimal", "sigma_learned"])
def test_joint_training_is_one_adam_over_all_parameters(
    objective: str, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = LaggingVAE(make_network(), OBJECTIVES[objective](), Lagging(ratio=2, epochs=0))
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
    model = LaggingVAE(make_network(network), SigmaOptimal(SHAPE), Lagging(ratio=3, epochs=2))
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
        LaggingVAE(copy.deepcopy(network), ELBO(), Lagging(ratio=1, epochs=epochs))
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
    model = LaggingVAE(make_network(), SigmaLearned(SHAPE), Lagging(ratio=ratio, epochs=1))
    recorder = Recorder(model)
    fit(model, make_data(), epochs=2)
    aggressive = [(0, ("inference",))] * ratio + [(0, ("generative",))]
    assert recorder.updates == aggressive * 3 + [(1, GROUPS)] * 3
    assert recorder.changed == [set(update) for _, update in recorder.updates]
    assert recorder.differentiated == recorder.changed


def test_batch_normalisation_takes_part_in_the_comparison(make_network: MakeNetwork) -> None:
    for group in (make_network().inference, make_network().generative):
        assert any(name.endswith("running_mean") for name in state([group]))


def test_same_batches_come_with_fresh_noise(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = LaggingVAE(make_network(), ELBO(), Lagging(ratio=2, epochs=1))
    recorder, states = Recorder(model), []
    original = model.terms

    def terms(images: Tensor, noise: Tensor | None = None, prior: Tensor | None = None) -> Terms:
        states.append(torch.get_rng_state())
        return original(images, noise, prior)

    model.terms = terms  # type: ignore[method-assign]
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
    model = LaggingVAE(make_network(), ELBO(), Lagging(ratio=4, epochs=2, batches="fresh"))
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


def test_the_phase_ends_when_mutual_information_stops_rising(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = LaggingVAE(
        make_network(), ELBO(), Lagging(ratio=1, epochs=5, until="mutual_information")
    )
    recorder = Recorder(model)
    Fed(model, "mutual_information", [0.1, 0.3, 0.3, 0.5, 0.6])
    fit(model, make_data(), epochs=5)
    assert model.phase_ended_at == 3
    assert [epoch for epoch, update in recorder.updates if update == GROUPS] == [3] * 3 + [4] * 3


@pytest.mark.parametrize(
    ("values", "ended"),
    [([1.0, 2.39, 2.31, 2.3], None), ([1.0, 2.39, 2.3, 1.0], 4), ([1.0, 2.39, 1.5, 1.2], 4)],
)
def test_a_saturated_estimate_of_mutual_information_does_not_end_the_phase(
    values: list[float], ended: int | None, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    """The ceiling of 11 images is ln 11 = 2.398 nats, 95% of which are 2.278."""
    model = LaggingVAE(
        make_network(), ELBO(), Lagging(ratio=1, epochs=4, until="mutual_information")
    )
    Fed(model, "mutual_information", values)
    fit(model, make_data(train=8, val=11), epochs=4)
    assert model.phase_ended_at == ended


def test_the_phase_is_never_longer_than_its_epochs(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = LaggingVAE(
        make_network(), ELBO(), Lagging(ratio=1, epochs=1, until="mutual_information")
    )
    recorder = Recorder(model)
    Fed(model, "mutual_information", [0.1, 0.3])
    fit(model, make_data(), epochs=2)
    assert [epoch for epoch, update in recorder.updates if update == GROUPS] == [1] * 3


@pytest.mark.parametrize(("values", "aggressive"), [([0.4, 0.2], []), ([0.1, 0.4], [2, 3])])
def test_the_end_of_the_phase_survives_a_checkpoint(
    values: list[float],
    aggressive: list[int],
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
    tmp_path: Path,
) -> None:
    schedule, data, path = (
        Lagging(ratio=1, epochs=4, until="mutual_information"),
        make_data(),
        tmp_path / "a.ckpt",
    )
    first = LaggingVAE(make_network(), ELBO(), schedule)
    Fed(first, "mutual_information", values)
    # As if it ran for 4 epochs and were stopped after 2.
    fit(first, data, epochs=4, callbacks=[StopAfter(2)]).save_checkpoint(path)
    second = LaggingVAE(make_network(), ELBO(), schedule)
    Fed(second, "mutual_information", [0.41, 0.42])
    recorder = Recorder(second)
    fit(second, data, epochs=4, ckpt_path=path)
    assert sorted({epoch for epoch, update in recorder.updates if update != GROUPS}) == aggressive
    assert second.images_seen == 4 * 22


class StopAfter(Callback):
    """Stops a run after some epochs."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.should_stop = trainer.current_epoch + 1 == self.epochs


def test_a_phase_longer_than_the_run_is_refused(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    with pytest.raises(ValueError, match=r"longer than the run.*max_epochs=2"):
        fit(LaggingVAE(make_network(), ELBO(), Lagging(epochs=3)), make_data(), epochs=2)


# The variants


def combinations() -> Iterator[tuple[type[BaseVAE], type[Network], str]]:
    """All that are allowed."""
    for variant in VARIANTS:
        for network in NETWORKS:
            for name, make in OBJECTIVES.items():
                dense = not variant.deterministic or name in ("reconstruction", "mmd")
                if (
                    issubclass(network, variant.networks)
                    and isinstance(make(), variant.objectives)
                    and dense
                ):
                    yield variant, network, name


@pytest.mark.parametrize(("variant", "network", "objective"), list(combinations()))
def test_every_parameter_is_in_one_group_and_reached_by_a_gradient(
    variant: type[BaseVAE], network: type[Network], objective: str, make_network: MakeNetwork
) -> None:
    parts = make_network(network, 1 if variant.deterministic else 2), OBJECTIVES[objective]()
    model = variant(*parts, Lagging() if Joint not in variant.schedules else Joint())
    grouped = [id(parameter) for name in GROUPS for parameter in model.parameters_of(name)]
    assert sorted(grouped) == sorted(id(parameter) for parameter in model.parameters())
    held = [
        id(p)
        for optimizer in model.configure_optimizers()[0]
        for g in optimizer.param_groups
        for p in g["params"]
    ]
    assert held == grouped
    model.terms(torch.rand(6, *SHAPE)).loss.mean().backward()
    for name in GROUPS:
        found = gradients(model, name)
        assert all(gradient is not None and gradient.isfinite().all() for gradient in found)
        assert norm(found) > 0


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_is_only_a_name_and_what_it_takes(variant: type[BaseVAE]) -> None:
    own = {name for name in vars(variant) if not name.startswith("__") and name != "_abc_impl"}
    assert own <= {"name", "title", "networks", "objectives", "schedules", "deterministic"}
    assert variant.__mro__[1] is BaseVAE
    assert variant.__doc__ is not None
    assert {"name", "title"} <= own


@pytest.mark.parametrize(
    ("variant", "network", "objective", "schedule", "message"),
    [
        (
            AutoEncoder,
            PlainNetwork,
            "elbo",
            Joint(),
            "objective=elbo; it takes objective=reconstruction, objective=mmd",
        ),
        (
            AutoEncoder,
            PlainNetwork,
            "sigma_data",
            Joint(),
            "objective=sigma_data; it takes objective=reconstruction",
        ),
        (
            BetaVAE,
            PlainNetwork,
            "sigma_data",
            Joint(),
            "objective=sigma_data; it takes objective=beta, objective=cap",
        ),
        (
            ResLagVAE,
            PlainNetwork,
            "sigma_data",
            Lagging(),
            "network=plain; it takes network=residual.",
        ),
        (
            ResLagVAE,
            LightResidualNetwork,
            "elbo",
            Lagging(),
            "network=residual_light; it takes network=residual.",
        ),
        (
            ResLagLightVAE,
            ResidualNetwork,
            "elbo",
            Lagging(),
            "network=residual; it takes network=residual_light.",
        ),
        (LaggingVAE, PlainNetwork, "elbo", Joint(), "schedule=joint; it takes schedule=lagging."),
    ],
)
def test_parts_that_do_not_go_together_are_refused(
    variant: type[BaseVAE],
    network: type[Network],
    objective: str,
    schedule: Schedule,
    message: str,
    make_network: MakeNetwork,
) -> None:
    with pytest.raises(
        ValueError, match=re.escape(f"model={variant.name} does not take {message}")
    ):
        variant(
            make_network(network, 1 if variant.deterministic else 2),
            OBJECTIVES[objective](),
            schedule,
        )


def test_the_whole_message_names_options(make_network: MakeNetwork) -> None:
    message = (
        "model=beta_vae does not take objective=sigma_data; it takes objective=beta, "
        "objective=capacity."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        BetaVAE(make_network(), SigmaData(SHAPE))


@pytest.mark.parametrize(("variant", "given", "wanted"), [(AutoEncoder, 2, 1), (MMDInfoVAE, 1, 2)])
def test_the_number_of_parameters_of_a_latent_has_to_fit(
    variant: type[BaseVAE], given: int, wanted: int, make_network: MakeNetwork
) -> None:
    with pytest.raises(ValueError, match=f"parameters_per_latent={wanted}"):
        variant(make_network(parameters_per_latent=given), MMD())


def test_a_point_has_no_kl_that_mmd_could_weigh(make_network: MakeNetwork) -> None:
    with pytest.raises(ValueError, match="no posterior density"):
        AutoEncoder(make_network(parameters_per_latent=1), MMD(alpha=0.5))


# The optimizer


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_each_group_is_clipped_by_itself(
    precision: str, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    free = VAE(make_network(), ELBO())
    clipped = VAE(copy.deepcopy(free.network), ELBO(), optimizer=AdamSettings(clip_norm=1e-3))
    recorders = Recorder(free), Recorder(clipped)
    for recorder in recorders:
        fit(recorder.model, make_data(), precision=precision)
    for name in GROUPS:
        assert all(norms[name] > 2e-3 for norms in recorders[0].norms)
        assert all(norms[name] == pytest.approx(1e-3, rel=1e-3) for norms in recorders[1].norms)


class Rates(Callback):
    """Notes the learning rates that each epoch begins with."""

    def __init__(self) -> None:
        self.rates: list[dict[str, float]] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, BaseVAE)
        self.rates.append(pl_module.learning_rates())


def test_the_learning_rate_halves_on_a_plateau_and_ends_the_run(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = VAE(make_network(), ELBO(), optimizer=AdamSettings(plateau=Plateau(stop_below=9e-4)))
    Fed(model, "loss", [3.0, 2.0, 2.5, 2.0, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9])
    rates = Rates()
    trainer = fit(model, make_data(), epochs=12, callbacks=[rates])
    # Epoch 5 is the best; 6, 7 and 8 do not improve on it, nor do 9, 10 and 11.
    assert [each["inference"] for each in rates.rates] == [2e-3] * 8 + [1e-3] * 3
    assert all(each["inference"] == each["generative"] for each in rates.rates)
    assert trainer.current_epoch == 11
    assert model.stopped_because == "learning rate 0.0005 fell below 0.0009"


def test_without_a_plateau_the_learning_rate_stays(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model, rates = VAE(make_network(), ELBO()), Rates()
    Fed(model, "loss", [1.0] * 6)
    fit(model, make_data(), epochs=6, callbacks=[rates])
    assert rates.rates == [{"inference": 2e-3, "generative": 2e-3}] * 6
    assert model.stopped_because is None


# Evaluation


SIGMA_RULES: list[Objective] = [
    SigmaData(SHAPE),
    SigmaLearned(SHAPE, "pixel"),
    SigmaFixed(0.05),
    *(SigmaOptimal(SHAPE, granularity) for granularity in ("global", "channel", "pixel", "image")),
]


@pytest.mark.parametrize(
    "objective", [ELBO(), Beta(), Capacity(), *SIGMA_RULES], ids=lambda each: each.name
)
def test_an_evaluation_does_not_depend_on_batches_or_the_random_state(
    objective: Objective, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = LaggingVAE(make_network(), copy.deepcopy(objective), Lagging(epochs=0))
    fit(model, make_data())
    results = []
    for size in (7, 16, 64):
        torch.manual_seed(size)
        results.append(evaluate(model, make_data(val=37, batch_size=size).in_order("val")))
    for other in results[1:]:
        assert other == pytest.approx(results[0], rel=1e-5)


def test_prior_samples_do_not_make_an_evaluation_depend_on_batches(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    """The MMD itself is a statistic of the minibatch."""
    model = MMDInfoVAE(make_network(), MMD())
    fit(model, make_data())
    results = [
        evaluate(model, make_data(val=37, batch_size=size).in_order("val")) for size in (7, 16, 64)
    ]
    for name in ("rec", "kl", "elbo", "mutual_information"):
        assert [result[name] for result in results] == pytest.approx(
            [results[0][name]] * 3, rel=1e-5
        )


def test_an_mmd_model_is_evaluated_on_the_noise_of_all_others(
    make_network: MakeNetwork, make_data: MakeData
) -> None:
    network, data = make_network(), make_data(val=37)
    first, second = (
        evaluate(model, data.in_order("val"))
        for model in (MMDInfoVAE(network, MMD()), VAE(network, ELBO()))
    )
    assert (first["rec"], first["kl"]) == (second["rec"], second["kl"])


@pytest.mark.parametrize("objective", ["mmd", "sigma_optimal", "sigma_data"])
def test_an_evaluation_changes_nothing_and_repeats_itself(
    objective: str, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model, data = (
        LaggingVAE(make_network(), OBJECTIVES[objective](), Lagging(epochs=0)),
        make_data(),
    )
    fit(model, data)
    model.train()
    before, random = state([model]), torch.get_rng_state()
    first = evaluate(model, data.in_order("val"))
    assert evaluate(model, data.in_order("val")) == first
    assert equal(state([model]), before)
    assert torch.equal(torch.get_rng_state(), random)
    assert model.training


def test_images_count_equally_also_in_the_last_incomplete_batch(
    make_network: MakeNetwork, make_data: MakeData
) -> None:
    model, data = VAE(make_network(), ELBO()).eval(), make_data(val=9, batch_size=8)
    noise = torch.randn(9, 16, generator=torch.Generator().manual_seed(0))[:, :3]
    with torch.no_grad():
        terms = model.terms(data.split("val").images, noise)
    result = evaluate(model, data.in_order("val"))
    assert terms.kl is not None
    assert result["loss"] == pytest.approx(float(terms.loss.double().mean()), rel=1e-6)
    assert result["rec"] == pytest.approx(float(terms.rec.double().mean()), rel=1e-6)
    assert result["kl"] == pytest.approx(float(terms.kl.double().sum(1).mean()), rel=1e-6)


def test_training_means_weigh_images_equally(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = VAE(make_network(), ELBO())
    recorder = Recorder(model)
    trainer = fit(model, make_data(train=9, batch_size=8))
    losses = torch.cat([terms.loss.detach() for terms in recorder.terms]).double()
    assert [len(terms.loss) for terms in recorder.terms] == [8, 1]
    assert float(trainer.callback_metrics["train/loss"]) == pytest.approx(
        float(losses.mean()), rel=1e-6
    )


def test_every_validation_of_a_run_is_that_of_the_whole_split(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model, data = OptimalSigmaVAE(make_network(), SigmaData(SHAPE)), make_data()
    trainer = fit(model, data, epochs=2)
    expected = evaluate(model, data.in_order("val"))
    logged = {
        name[4:]: float(value)
        for name, value in trainer.callback_metrics.items()
        if name.startswith("val/")
    }
    assert logged == pytest.approx(expected, rel=1e-6)


def test_the_sanity_check_leaves_every_buffer_alone(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = OptimalSigmaVAE(make_network(), SigmaOptimal(SHAPE))
    before, after = state([model]), {}

    class Look(Callback):
        def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            after.update(state([model]))

    fit(model, make_data(), callbacks=[Look()], num_sanity_val_steps=2)
    assert equal(after, before)


@pytest.mark.parametrize("schedule", [Joint(), Lagging(ratio=3, epochs=1)])
def test_the_moving_variance_takes_each_training_step_once(
    schedule: Schedule, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    objective = SigmaData(SHAPE, decay=0.5)
    fit(OptimalSigmaVAE(make_network(), objective, schedule), make_data(), num_sanity_val_steps=2)
    data, running, weight = make_data(), 0.0, 0.0
    for batch in epoch_batches(data, 0):
        running = 0.5 * running + 0.5 * float((batch.images / 255).double().var(unbiased=False))
        weight = 0.5 * weight + 0.5
    assert float(objective.running) == pytest.approx(running, rel=1e-5)
    assert float(objective.weight) == pytest.approx(weight, rel=1e-6)


@pytest.mark.parametrize("variant", [VAE, MMDInfoVAE])
def test_the_yardstick_is_the_elbo_under_the_variance_of_train(
    variant: type[BaseVAE], make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = variant(make_network(), ELBO() if variant is VAE else MMD())
    metrics = {
        name: float(value) for name, value in fit(model, make_data()).callback_metrics.items()
    }
    sigma2 = metrics["train/rec"] / 64
    assert float(model.train_mse) == pytest.approx(sigma2, rel=1e-6)
    for split in ("train", "val"):
        rec, kl = metrics[f"{split}/rec"], metrics[f"{split}/kl"]
        elbo = -0.5 * (64 * math.log(2 * math.pi * sigma2) + rec / sigma2) - kl
        assert metrics[f"{split}/elbo"] == pytest.approx(elbo, rel=1e-5)
        # log2 of the density on 0..255 instead of 0..1: each of the 64 numbers is 256 times as
        # wide.
        bits = -(elbo - 64 * math.log(256)) / 64 / math.log(2)
        assert metrics[f"{split}/bits_per_dim"] == pytest.approx(bits, rel=1e-5)
        assert metrics[f"{split}/kl_per_dim"] == pytest.approx(kl / 3, rel=1e-6)


def test_an_autoencoder_has_no_elbo(make_network: MakeNetwork, make_data: MakeData) -> None:
    model = AutoEncoder(make_network(parameters_per_latent=1), Reconstruction())
    assert set(evaluate(model, make_data().in_order("val"))) == {"loss", "rec"}


def test_the_logged_sigma2_of_a_weighted_kl_is_the_equivalent_one(
    make_network: MakeNetwork, make_data: MakeData
) -> None:
    data = make_data()
    assert evaluate(VAE(make_network(), ELBO()), data.in_order("val"))["sigma2"] == 1
    assert evaluate(BetaVAE(make_network(), Beta(4)), data.in_order("val"))[
        "sigma2"
    ] == pytest.approx(4 / 2 / 3)


@pytest.mark.parametrize("objective", ["sigma_optimal", "mmd"])
def test_mixed_precision_keeps_the_likelihood_in_float32(
    objective: str, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = LaggingVAE(make_network(), OBJECTIVES[objective](), Lagging(ratio=1, epochs=1))
    recorder, outputs = Recorder(model), []
    model.network.generative.register_forward_hook(lambda *call: outputs.append(call[-1].dtype))
    fit(model, make_data(), precision="bf16-mixed")
    assert set(outputs) == {torch.bfloat16}
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    for terms in recorder.terms:
        assert {value.dtype for value in terms if value is not None} == {torch.float32}
        assert terms.loss.isfinite().all()


# Divergence


def test_an_evaluation_that_is_not_finite_ends_the_run(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    model = VAE(make_network(), ELBO())
    Fed(model, "loss", [3.0, 2.0, math.nan])
    original = model.end_evaluation
    model.end_evaluation = lambda: (
        original() | ({"kl": math.inf} if model.current_epoch == 2 else {})
    )  # type: ignore[method-assign]
    with pytest.raises(
        NonFiniteError, match=r"^Epoch 3: val loss, kl not finite\..* optimizer\.clip_norm"
    ):
        fit(model, make_data(train=8), epochs=4, callbacks=[BestAndLast()])
    epochs = {
        path.name: torch.load(path, weights_only=True)["epoch"]
        for path in (tmp_path / "checkpoints").iterdir()
    }
    assert epochs == {"best.ckpt": 1, "last.ckpt": 1, "previous.ckpt": 0}


def test_a_training_epoch_that_is_not_finite_ends_the_run(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    model = VAE(make_network(), ELBO())
    original = model._update

    def update(batch: Batch, groups: Update) -> Terms:
        terms = original(batch, groups)
        return terms if model.current_epoch == 0 else terms._replace(loss=terms.loss * math.nan)

    model._update = update  # type: ignore[method-assign]
    with pytest.raises(NonFiniteError, match=r"^Epoch 2, minibatch 1: train loss not finite"):
        fit(model, make_data(train=8), epochs=3, callbacks=[BestAndLast()])
    epochs = {
        path.name: torch.load(path, weights_only=True)["epoch"]
        for path in (tmp_path / "checkpoints").iterdir()
    }
    assert epochs == {"best.ckpt": 0, "last.ckpt": 0}


def test_the_minibatch_that_broke_the_weights_is_named(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model: Any = VAE(make_network(), ELBO())
    original = model._update

    def update(batch: Batch, groups: Update) -> Terms:
        if (model.current_epoch, model.images_seen) == (1, 22 + 8):
            next(model.network.inference.parameters()).data.fill_(math.nan)
        return original(batch, groups)

    model._update = update
    with pytest.raises(
        NonFiniteError, match=r"^Epoch 2, minibatch 2: train loss, rec, kl not finite"
    ):
        fit(model, make_data(), epochs=3)


def test_a_last_minibatch_of_one_image_trains(make_data: MakeData, fit: Fit) -> None:
    """Also where the last stage is one pixel, of which there is no variance."""
    model = VAE(PlainNetwork((1, 8, 8), 3, [4, 4, 4], [1, 1, 1]), ELBO())
    trainer = fit(model, make_data(train=17), epochs=2)
    assert math.isfinite(trainer.callback_metrics["val/loss"])


@pytest.mark.parametrize("grey", [0, 128, 255])
@pytest.mark.parametrize("rule", [SigmaData, SigmaOptimal])
def test_images_of_one_grey_train_with_the_variance_at_its_floor(
    rule: type[Any], grey: int, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    data = make_data()
    data.split("train").store.fill_(grey)
    data.split("val").store.fill_(grey)
    metrics = fit(OptimalSigmaVAE(make_network(), rule((1, 8, 8))), data, epochs=2).callback_metrics
    assert all(math.isfinite(value) for value in metrics.values())
    if rule is SigmaData:
        assert metrics["train/sigma2_floored"] == 1
        assert float(metrics["val/sigma2"]) == pytest.approx(SIGMA2_FLOOR)


def test_a_sanity_check_that_is_not_finite_ends_nothing(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = VAE(make_network(), ELBO())
    Fed(model, "loss", [math.nan, 3.0])
    trainer = fit(model, make_data(), num_sanity_val_steps=1)
    assert float(trainer.callback_metrics["val/loss"]) == 3


def test_images_seen_counts_the_images_of_training_alone(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model: Any = LaggingVAE(make_network(), ELBO(), Lagging(ratio=3, epochs=1))
    fit(model, make_data(), epochs=2)
    assert model.images_seen == 44


def test_the_capacity_rises_with_the_epochs(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    objective = Capacity(capacity=6, epochs=3)
    model, seen = BetaVAE(make_network(), objective), []
    original = model.terms
    model.terms = lambda *given: (seen.append(objective.current.item()), original(*given))[1]  # type: ignore[method-assign, func-returns-value]
    fit(model, make_data(train=8), epochs=5)
    assert seen == [2, 4, 6, 6, 6]
