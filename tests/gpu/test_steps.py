"""Steps on a GPU: no word between Python and the device, as graphs, compiled, rounded."""

import logging
import math
from typing import Any, ClassVar

import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from reslag_vae.data.images import Batch
from reslag_vae.training.capture import beside, cuda_graph
from reslag_vae.training.schedules import Schedule, Update, Updates
from reslag_vae.training.system import BaseVAE
from tests.gpu.conftest import COMPILED, EAGER, GRAPHED, Run, assert_near
from tests.graphs import repeated
from tests.systems import Fed
from tests.updates import equal, state

LIMITED = ("optimizer.clip_norm=1", "optimizer.skip_above=4")
LAGGING = ("model=lagging", "schedule.ratio=2", "schedule.epochs=1")
PIXEL = ("objective=sigma_optimal", "likelihood.variance.granularity=pixel")


class Silence(Callback):
    """Lets no minibatch of every second epoch wait. To be the last of the callbacks."""

    batches = 0

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        if trainer.current_epoch % 2:
            set_silence("error")

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        if trainer.current_epoch % 2:
            set_silence("default")
            self.batches += 1


def set_silence(mode: str) -> None:
    """Set what PyTorch does where Python waits for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.set_sync_debug_mode(mode)


@pytest.mark.parametrize("steps", [EAGER, GRAPHED])
@pytest.mark.parametrize(
    "options",
    [
        ("model=beta_vae",),
        ("model=mmd_infovae",),
        ("model=optimal_sigma", "objective=sigma_data"),
        (*LAGGING, "schedule.epochs=2", *PIXEL),
        (*LAGGING, "schedule.epochs=2", "objective=sigma_learned"),
    ],
)
def test_no_step_waits_for_the_gpu(options: tuple[str, ...], steps: str, run: Run) -> None:
    # Graphs are taken in the first epoch of each phase.
    silence, length = Silence(), 4 if LAGGING[0] in options else 2
    try:
        run(*options, *LIMITED, steps, epochs=length, callbacks=[silence])
    finally:
        set_silence("default")
    assert silence.batches


def test_there_is_a_graph_for_each_phase_and_size(run: Run) -> None:
    eager, graphed = (run(*LAGGING, *LIMITED, own, epochs=3) for own in (EAGER, GRAPHED))
    assert graphed.graphed
    assert not eager.graphed
    data = graphed.trainer.datamodule  # type: ignore[attr-defined]
    whole = data.at_once * data.batch_size
    sizes = {min(whole, len(data.split("train"))), len(data.split("train")) % whole or whole}
    expected = [{(phase, size) for size in sizes} for phase in ("aggressive", "joint", "joint")]
    assert graphed.graphs == expected
    assert eager.trainer.global_step == graphed.trainer.global_step > 0
    assert_near(graphed, eager, 1e-3)


def test_every_launch_draws_other_noise_by_the_seed(device: torch.device) -> None:
    def work() -> Tensor:
        return torch.randn(4, device=device)

    capture = cuda_graph if device.type == "cuda" else repeated
    with beside(device):
        work()
        launch = capture(work)
    torch.manual_seed(5)
    eager = [work() for _ in range(3)]
    torch.manual_seed(5)
    launched = [launch().clone() for _ in range(3)]
    assert torch.equal(torch.stack(eager), torch.stack(launched))
    assert len({tuple(own.tolist()) for own in launched}) == 3


def test_noise_of_an_epoch_is_that_of_its_seed(run: Run) -> None:
    first, again, other = (run(GRAPHED, f"callbacks.seed.seed={seed}") for seed in (0, 0, 1))
    assert_near(first, again, 1e-3)
    assert not torch.allclose(first.rows[0], other.rows[0], rtol=1e-4)


@pytest.mark.slow
@pytest.mark.usefixtures("compiler")
def test_compiled_steps_are_compiled_once(run: Run) -> None:
    class Counts(Callback):
        graphs: ClassVar[list[int]] = []

        def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            self.graphs.append(torch._dynamo.utils.counters["stats"]["unique_graphs"])

    torch._dynamo.utils.counters.clear()
    eager = run(*LAGGING, EAGER, epochs=3)
    compiled = run(*LAGGING, COMPILED, epochs=3, callbacks=[Counts()])
    assert compiled.model.compiled is not None
    assert not compiled.model.compiled.failed
    assert compiled.graphed
    # The encoder's and the decoder's updates in the first epoch, joint ones later.
    assert Counts.graphs == [2, 3, 3]
    assert_near(compiled, eager, 2e-3)


class EncoderAlone(Schedule):
    """One update of the inference group in every step."""

    name = "encoder_alone"

    def updates(self) -> Updates:
        yield Update(("inference",))


def test_a_frozen_group_stays_bitwise_under_graphs(run: Run) -> None:
    before: dict[str, dict[str, Tensor]] = {}

    def change(model: BaseVAE, _: object) -> None:
        model.schedule = EncoderAlone()
        for name in ("inference", "generative"):
            before[name] = state(model.group(name)[:1])  # type: ignore[arg-type]

    trained = run("model=optimal_sigma", GRAPHED, epochs=2, change=change)
    assert trained.graphed
    after = {
        name: {
            key: value.cpu()
            for key, value in state(trained.model.group(name)[:1]).items()  # type: ignore[arg-type]
        }
        for name in before
    }
    assert equal(before["generative"], after["generative"])
    assert not equal(before["inference"], after["inference"])


class Freezes(Callback):
    """Freezes the first layer of the encoder for the second epoch."""

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, BaseVAE)
        (self.weight, *_) = pl_module.group_parameters("inference")
        self.weight.requires_grad_(trainer.current_epoch != 1)
        self.before = self.weight.detach().clone()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert torch.equal(self.before, self.weight) is (trainer.current_epoch == 1)


def test_a_graph_notices_that_parameters_are_frozen(run: Run) -> None:
    eager, graphed = (
        run("model=optimal_sigma", own, epochs=3, callbacks=[Freezes()]) for own in (EAGER, GRAPHED)
    )
    assert graphed.graphed
    assert graphed.model.graphed is not None
    assert graphed.model.graphed.changes == 2
    assert_near(graphed, eager, 2e-3)


def test_bf16_is_clipped_and_skipped_as_float32(run: Run) -> None:
    exact = run(*LAGGING, *LIMITED, GRAPHED, epochs=2)
    rounded = run(*LAGGING, *LIMITED, GRAPHED, "trainer.precision=bf16-mixed", epochs=2)
    assert rounded.graphed
    assert all(bool(rows.isfinite().all()) for rows in rounded.rows)
    assert_near(rounded, exact, 0.2)


class Rates(Callback):
    """Notes the learning rates at the end of each epoch, and the graphs themselves."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.graphs: list[list[int]] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, BaseVAE)
        self.rates.append(pl_module.learning_rates()["inference"])

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, BaseVAE)
        graphs = pl_module.graphed.graphs if pl_module.graphed else {}
        self.graphs.append([id(graph) for graph in graphs.values()])


def test_the_learning_rate_falls_in_a_graph_too(run: Run, device: torch.device) -> None:
    plateau = ("optimizer=adam_plateau", "optimizer.plateau.patience=1")
    rates = Rates()
    trained = [
        run(
            *plateau,
            "optimizer.plateau.factor=0.1",
            "optimizer.plateau.stop_below=1e-9",
            "model=optimal_sigma",
            steps,
            epochs=3,
            callbacks=[rates] if steps == GRAPHED else [],
            change=lambda model, _: Fed(model, loss=[1.0, 2.0, 3.0]),
        )
        for steps in (EAGER, GRAPHED)
    ]
    assert trained[1].graphed
    assert rates.rates == pytest.approx([2e-3, 2e-3, 2e-4])
    # On a CPU it is a number, not a tensor, and graphs are taken anew.
    assert (rates.graphs[0] == rates.graphs[2]) is (device.type == "cuda")
    assert_near(trained[1], trained[0], 1e-3)


def reading(model: BaseVAE, _: object) -> None:
    """Have a system's updates read a number from the device."""
    original = model.update

    def update(images: Tensor, update: Update) -> Any:
        forward = original(images, update)
        assert math.isfinite(float(forward.loss.detach()))
        return forward

    model.update = update  # type: ignore[method-assign]


def test_where_steps_cannot_be_captured_training_goes_on(
    run: Run, device: torch.device, caplog: pytest.LogCaptureFixture
) -> None:
    options = ("model=lagging", "schedule.epochs=0")
    eager = run(*options, EAGER, epochs=2, change=reading)
    with caplog.at_level(logging.WARNING, "reslag_vae"):
        goes_on = run(*options, GRAPHED, epochs=2, change=reading)
    on_gpu = device.type == "cuda"
    assert goes_on.graphed is not on_gpu
    assert ("goes on without CUDA graphs" in caplog.text) is on_gpu
    assert_near(goes_on, eager, 1e-3)
    # The next run of the process is captured as if nothing had been.
    assert run(*options, GRAPHED).graphed
