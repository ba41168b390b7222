"""Steps as a graph, beside those of Python; in place of CUDA's capture, the work is repeated."""

import copy
import logging
from collections.abc import Callable, Collection
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from reslag_vae.data import ImageDataModule
from reslag_vae.latents import GaussianPosterior, VampPrior
from reslag_vae.likelihoods import Gaussian, OptimalVariance
from reslag_vae.models import FlatModel
from reslag_vae.networks import Network
from reslag_vae.objectives import ELBO
from reslag_vae.training.at_once import AtOnce
from reslag_vae.training.callbacks import CollapseMonitor
from reslag_vae.training.capture import Capture
from reslag_vae.training.compiled import Compile
from reslag_vae.training.freezing import normalisations
from reslag_vae.training.graphed import are_near, may_be_graphs
from reslag_vae.training.optimizers import AdamSettings
from reslag_vae.training.schedules import Joint, Lagging, Schedule
from reslag_vae.training.system import BaseVAE
from reslag_vae.variants import LaggingVAE, MMDInfoVAE, OptimalSigmaVAE
from tests.graphs import Graphs, Work, repeated
from tests.systems import make_system
from tests.updates import equal, shared_state

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]


def trained(
    make: Callable[[], BaseVAE],
    data: ImageDataModule,
    fit: Fit,
    capture: Capture | None,
) -> tuple[BaseVAE, Trainer, Graphs | None]:
    torch.manual_seed(0)
    system = make()
    graphs = Graphs(capture) if capture else None
    torch.manual_seed(1)
    trainer = fit(system, data, epochs=3, callbacks=[AtOnce(2), *([graphs] if graphs else [])])
    return system, trainer, graphs


SETTINGS = AdamSettings(clip_norm=1.0, skip_above=4.0, ema_decay=0.8)
SYSTEMS: dict[str, tuple[type[BaseVAE], str, Schedule, AdamSettings | None]] = {
    "joint": (OptimalSigmaVAE, "sigma_optimal", Joint(), None),
    "learned": (OptimalSigmaVAE, "sigma_learned", Joint(), SETTINGS),
    "lagging": (LaggingVAE, "sigma_data", Lagging(ratio=2, epochs=2), SETTINGS),
    "mmd": (MMDInfoVAE, "mmd", Joint(), None),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_training_is_bitwise_that_of_python(
    name: str, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    variant, objective, schedule, settings = SYSTEMS[name]

    def make() -> BaseVAE:
        system = make_system(variant, make_network(), objective, schedule, settings)
        # Elsewhere than the gradients, as before training on a GPU.
        system.group_steps.to(torch.empty(0, dtype=torch.float64))
        return system

    alone, python, _ = trained(make, make_data(), fit, None)
    system, trainer, graphs = trained(make, make_data(), fit, repeated)
    assert graphs is not None
    assert not graphs.graphed.failed
    # Of the last phase: two minibatches of 8 at once, and the 6 images that remain.
    assert graphs.sizes[-1] == {16, 6}
    assert not graphs.graphed.graphs, "their memory is kept after training"
    assert equal(shared_state(alone), shared_state(system))
    for first, second in zip(python.optimizers, trainer.optimizers, strict=True):
        states = zip(first.state.values(), second.state.values(), strict=True)
        assert all(equal(*pair) for pair in states)
    assert python.global_step == trainer.global_step > 0
    metrics = [
        {key: float(value) for key, value in own.callback_metrics.items()}
        for own in (python, trainer)
    ]
    assert metrics[0] == metrics[1]


def test_what_was_computed_of_parameters_is_out_of_date_after_a_graph(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    prior = VampPrior(3, (1, 8, 8), pseudo_inputs=2)
    likelihood = Gaussian(OptimalVariance((1, 8, 8)))
    model = FlatModel(make_network(), likelihood, GaussianPosterior(), prior)
    system = OptimalSigmaVAE(model, ELBO())

    def unseen(work: Work) -> Work:
        """A graph whose writes PyTorch does not count, as those of CUDA's."""
        repeat, changed = repeated(work), (*system.parameters(), *system.buffers())

        def launch() -> Tensor:
            with torch.autograd._unsafe_preserve_version_counter(changed):
                return repeat()

        return launch

    class Remembers(Callback):
        def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            with torch.no_grad():
                means.append(prior.mixture().mean.clone())

    means: list[Tensor] = []
    fit(system, make_data(), epochs=3, callbacks=[Graphs(unseen), Remembers()])
    assert system.graphed is not None
    assert not system.graphed.failed
    with torch.no_grad():
        assert torch.equal(means[-1], prior._mixture().mean)
    assert not torch.equal(means[0], means[-1])


def test_a_second_training_begins_without_the_graphs_of_the_first(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    system = make_system(OptimalSigmaVAE, make_network(), "sigma_optimal")
    fit(system, make_data(), callbacks=[Graphs(repeated)])
    assert system.graphed is not None
    fit(system, make_data())
    assert system.graphed is None


class Changes(Callback):
    """Changes a system before some epochs, and counts the graphs that are taken of its steps."""

    def __init__(self, change: Callable[[BaseVAE], object], epochs: Collection[int]) -> None:
        self.change, self.epochs = change, epochs
        self.taken = [0]
        self.trained: list[bool] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, BaseVAE)
        self.system = pl_module
        if trainer.current_epoch in self.epochs:
            self.change(pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.taken.append(0)

    def as_taken(self, work: Work) -> Work:
        """A graph that computes the gradients that it computed when it was taken, as CUDA's do."""
        self.taken[-1] += 1
        parameters = list(self.system.parameters())
        trained, launch = [own.requires_grad for own in parameters], repeated(work)

        def launched() -> Tensor:
            now = [own.requires_grad for own in parameters]
            require(parameters, trained)
            result = launch()
            require(parameters, now)
            return result

        return launched


def require(parameters: list[nn.Parameter], trained: list[bool]) -> None:
    for own, is_trained in zip(parameters, trained, strict=True):
        own.requires_grad_(is_trained)


def freeze(system: BaseVAE) -> None:
    """As a callback of fine tuning does."""
    for parameter in system.group_parameters("inference")[:2]:
        parameter.requires_grad_(False)


def thaw(system: BaseVAE) -> None:
    system.requires_grad_(True)


def hold_averages(system: BaseVAE) -> None:
    normalisations(system)[0].track_running_stats = False


def cut_rates(system: BaseVAE) -> None:
    for optimizer in system.trainer.optimizers:
        optimizer.param_groups[0]["lr"] = 1e-5


def clear_moments(system: BaseVAE) -> None:
    system.trainer.optimizers[0].state.clear()


def load_moments(system: BaseVAE) -> None:
    optimizer = system.trainer.optimizers[0]
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))


def move_a_parameter(system: BaseVAE) -> None:
    parameter = system.group_parameters("generative")[0]
    parameter.data = parameter.data.clone()


def forget_sooner(system: BaseVAE) -> None:
    normalisations(system)[0].momentum = 0.5


def nothing(system: BaseVAE) -> None: ...


@pytest.mark.parametrize(
    ("change", "anew"),
    [
        (freeze, True),
        (hold_averages, True),
        (cut_rates, True),
        (clear_moments, True),
        (load_moments, True),
        (move_a_parameter, True),
        (forget_sooner, True),
        (nothing, False),
        (thaw, False),
    ],
)
def test_a_graph_is_taken_anew_where_what_it_depends_on_has_changed(
    change: Callable[[BaseVAE], object],
    anew: bool,
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
) -> None:
    system = make_system(OptimalSigmaVAE, make_network(), "sigma_optimal")
    changes = Changes(change, [2])
    fit(system, make_data(), epochs=4, callbacks=[Graphs(changes.as_taken), changes])
    assert system.graphed is not None
    assert not system.graphed.failed
    # Of 8 images and of the 6 that remain.
    assert changes.taken[:4] == [2, 0, 2 if anew else 0, 0]


def test_frozen_parameters_stay_where_they_are_under_graphs(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    states = []
    for graphs in (False, True):
        torch.manual_seed(0)
        system = make_system(OptimalSigmaVAE, make_network(), "sigma_optimal")
        frozen, thawed = Changes(freeze, [1]), Changes(thaw, [3])
        first = [Graphs(frozen.as_taken)] if graphs else []
        torch.manual_seed(1)
        fit(system, make_data(), epochs=4, callbacks=[*first, frozen, thawed])
        states.append(shared_state(system))
    assert equal(*states)
    assert frozen.taken[:4] == [2, 2, 0, 2]


def test_where_it_changes_again_and_again_training_goes_on_step_by_step(
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("reslag_vae.training.graphed.MOST_CHANGES", 1)
    system = make_system(OptimalSigmaVAE, make_network(), "sigma_optimal")
    changes = Changes(clear_moments, range(4))
    with caplog.at_level(logging.WARNING, "reslag_vae"):
        fit(system, make_data(), epochs=4, callbacks=[Graphs(changes.as_taken), changes])
    assert system.graphed is not None
    assert system.graphed.failed
    assert changes.taken[:4] == [2, 2, 0, 0]
    assert caplog.text.count("what they depend on has changed 2 times") == 1


def unable(work: Work) -> Work:
    raise RuntimeError("this operation cannot be captured")


def halfway(work: Work) -> Work:
    work()
    raise RuntimeError("capture was invalidated")


def forgetful(work: Work) -> Work:
    """A graph of the wrong steps."""
    return lambda: work() * 1.5


@pytest.mark.parametrize(
    ("capture", "message"),
    [
        (unable, "cannot be captured"),
        (halfway, "was invalidated"),
        (forgetful, "are not those that Python makes"),
    ],
)
def test_where_a_graph_cannot_be_trusted_training_goes_on_with_a_word(
    capture: Capture,
    message: str,
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def make() -> BaseVAE:
        return make_system(OptimalSigmaVAE, make_network(), "sigma_optimal")

    alone, _, _ = trained(make, make_data(), fit, None)
    with caplog.at_level(logging.WARNING, "reslag_vae"):
        system, _, graphs = trained(make, make_data(), fit, capture)
    assert graphs is not None
    assert graphs.graphed.failed
    assert message in caplog.text
    assert caplog.text.count("goes on without CUDA graphs") == 1
    assert equal(shared_state(alone), shared_state(system))


def test_rounding_grows_from_step_to_step_and_a_wrong_graph_is_refused() -> None:
    rows = torch.tensor([[100.0, 1e-3]]).repeat(64, 1)
    drift = torch.linspace(1e-3, 0.03, 64)[:, None]
    assert are_near(rows * (1 + drift), rows)
    assert not are_near(rows * (1 + drift.flip(0)), rows)
    assert not are_near(rows * (1 + 10 * drift), rows)
    assert not are_near(torch.full_like(rows, torch.nan), rows)


@pytest.mark.parametrize(
    ("schedule", "fixed"),
    [
        (Joint(), True),
        (Lagging(ratio=3), True),
        (Lagging(ratio=3, batches="fresh"), False),
        (Lagging(ratio="adaptive"), False),
    ],
)
def test_a_schedule_whose_steps_differ_is_not_captured(schedule: Schedule, fixed: bool) -> None:
    schedule.begin_epoch(0)
    assert schedule.fixed is fixed
    schedule.begin_epoch(1000)
    assert schedule.fixed


def test_steps_are_graphs_on_one_gpu_unless_somebody_looks_at_updates() -> None:
    class Gradients(Callback):
        """Looks at the gradients of each update."""

        def on_after_backward(self, *_: object) -> None: ...

    class Looks(LightningModule):
        """Looks at the gradients of each group."""

        def on_before_optimizer_step(self, *_: object) -> None: ...

    def may(
        device: str,
        *callbacks: Callback,
        world_size: int = 1,
        system: type[LightningModule] = LightningModule,
    ) -> bool:
        strategy = SimpleNamespace(root_device=torch.device(device))
        trainer: Any = SimpleNamespace(
            strategy=strategy, world_size=world_size, callbacks=list(callbacks)
        )
        return may_be_graphs(trainer, system())

    assert may("cuda")
    assert may("cuda", Callback(), CollapseMonitor())
    assert not may("cuda", Gradients())
    assert not may("cuda", system=Looks)
    assert not may("cuda", world_size=2)
    assert not may("cpu")


@pytest.mark.parametrize(("compilation", "graphs"), [("auto", True), (False, False)])
def test_auto_takes_graphs_of_runs_that_are_too_short_to_be_compiled(
    compilation: Compile,
    graphs: bool,
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reslag_vae.training.system.may_be_graphs", lambda *_: True)
    taken: list[Work] = []

    def noted(work: Work) -> Work:
        taken.append(work)
        return repeated(work)

    monkeypatch.setattr("reslag_vae.training.graphed.cuda_graph", noted)
    system = make_system(OptimalSigmaVAE, make_network(), "sigma_optimal")
    system.compilation = compilation
    fit(system, make_data())
    assert system.compiled is None
    assert (system.graphed is not None) is graphs
    assert bool(taken) is graphs
