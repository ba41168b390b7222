"""Training steps as CUDA graphs, each of which the device runs without a word from Python."""

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.loops.progress import _ReadyCompletedTracker
from torch import Tensor

from reslag_vae._runtime.errors import first_line
from reslag_vae.data.images import Batch
from reslag_vae.training.at_once import OF_UPDATES, is_watched
from reslag_vae.training.capture import Capture, beside, cuda_graph, generator_of
from reslag_vae.training.fused_adam import FusedAdam

if TYPE_CHECKING:
    from reslag_vae.training.system import BaseVAE

log = logging.getLogger(__name__)

# A graph is launched so often before it is trusted, and the terms of its first step are as near to
# those of Python, and those of all, as parts of the largest one. By other kernels of a CPU, which
# differ by rounding alone, they differ by 4e-5 in the first step, 4e-3 in the 20th and 0.015 before
# the 96th: Adam makes a whole step of a gradient that is rounding alone.
TRIALS = 2
ROUNDING, GROWN = 0.02, 0.1

# Graphs are taken anew so often in a training, at most: each time costs some steps.
MOST_CHANGES = 20

PLAIN = (bool, int, float, str, type(None))


def may_be_graphs(trainer: Trainer, system: LightningModule) -> bool:
    """Return whether steps may be graphs: on one GPU, where no hook is called in updates.

    Args:
        trainer: trainer of the run. A callback or a system of the user's own that looks at
            gradients would not be called by a graph.
        system: system of the run.
    """
    on_one_gpu = trainer.strategy.root_device.type == "cuda" and trainer.world_size == 1
    return on_one_gpu and not is_watched(trainer, system, OF_UPDATES)


class GraphedSteps:
    """The steps of one call of `training_step` as one graph, which is launched once for all.

    There is a graph for each phase of the schedule and each number of images. A graph is taken
    after trial steps, which leave no trace: parameters, buffers, moments and random numbers are as
    before. It is used if its losses are those of the trial; if not, or if it cannot be captured,
    the log says so and training continues step by step. A graph repeats what was so when it was
    taken, and is taken anew where a callback has changed that since: see `settings_of`.

    Args:
        system: system that is trained.
        capture: function that captures them; None is that of CUDA.

    Attributes:
        changes: number of times that a callback has changed what they depend on.
        failed: whether training continues step by step.
    """

    def __init__(self, system: "BaseVAE", capture: Capture | None = None) -> None:
        self.system, self.steps = system, system.steps
        self.capture = cuda_graph if capture is None else capture
        self.graphs: dict[tuple[str, torch.Size], Graph] = {}
        self.phase = ""
        self.changes = 0
        self.failed = False

    def __call__(self, batch: Batch) -> Tensor:
        """Make the steps on images, and return the means of their terms.

        Args:
            batch: one minibatch or several.
        """
        if self.failed or not self.system.schedule.fixed:
            return self.steps(batch)
        if self.system.schedule.phase != self.phase:
            # The memory of the phase before is free for this one.
            self.graphs, self.phase = {}, self.system.schedule.phase
        try:
            graph = self._current(batch)
        except RuntimeError as error:
            self.failed, self.graphs = True, {}
            log.warning("Training goes on without CUDA graphs: %s", first_line(error))
            return self.steps(batch)
        return graph.launch(batch)

    def release(self) -> None:
        """Give back the memory of the graphs, which what is measured after training may need."""
        self.graphs = {}

    def _current(self, batch: Batch) -> "Graph":
        """Return the graph of the steps on as many images, as the system is now.

        Raises:
            GraphError: the system changes too often.
            RuntimeError: PyTorch cannot capture the steps.
        """
        key = (self.phase, batch.images.shape)
        if key in self.graphs and self.graphs[key].settings != settings_of(self.system):
            self.graphs = {}
            self.changes += 1
            if self.changes > MOST_CHANGES:
                raise GraphError(f"what they depend on has changed {self.changes} times.")
        if key not in self.graphs:
            self.graphs[key] = self._graph_of(batch)
        return self.graphs[key]

    def _graph_of(self, batch: Batch) -> "Graph":
        """Return the graph of the steps on as many images.

        Raises:
            GraphError: the graph does not what the steps do.
            RuntimeError: PyTorch cannot capture them.
        """
        for optimizer in self.system.trainer.optimizers:
            if isinstance(optimizer, FusedAdam):
                # A callback may have added a group, or set a rate.
                optimizer.adapt(batch.images.device)
        given = Batch(*(own.clone() for own in batch))
        state = State(self.system)
        try:
            with beside(batch.images.device):
                trial = state.counted(lambda: [self.steps(given) for _ in range(TRIALS)])
                state.restore()
                for parameter in self.system.parameters():
                    parameter.grad = None  # the graph's own memory holds them
                repeat = self.capture(lambda: self.steps(given))
            state.restore()
            graph = Graph(given, repeat, state)
            repeated = [graph.launch(batch) for _ in range(TRIALS)]
        finally:
            state.restore()
        if not are_near(torch.cat(repeated), torch.cat(trial)):
            raise GraphError("its first steps are not those that Python makes.")
        return graph


class GraphError(RuntimeError):
    """A graph that is not to be used."""


class State:
    """What training steps change, as it is now.

    Args:
        system: system that is trained.

    Attributes:
        updates: number of optimizers' steps in one call.
    """

    def __init__(self, system: "BaseVAE") -> None:
        self.system = system
        self.generator = generator_of(system.device)
        self.random = self.generator.get_state()
        self.copies = {own: own.clone() for own in tensors_of(system)}
        self.trackers = trackers_of(system.trainer)
        self.counts = [(own.ready, own.completed) for own in self.trackers]
        self.updates = 0

    def counted(self, trial: Callable[[], list[Tensor]]) -> list[Tensor]:
        """Return the result of trial calls, and take note of how many updates one makes."""
        result = trial()
        self.updates = (self.trackers[0].ready - self.counts[0][0]) // len(result)
        return result

    @torch.no_grad()
    def restore(self) -> None:
        """Put everything back; moments that were not there before are 0, as Adam's first ones."""
        for own in tensors_of(self.system):
            before = self.copies.get(own)
            own.zero_() if before is None else own.copy_(before)
        self.generator.set_state(self.random)
        for tracker, (ready, completed) in zip(self.trackers, self.counts, strict=True):
            tracker.ready, tracker.completed = ready, completed


class Graph:
    """A captured call.

    Args:
        given: minibatches of the call, whose memory the graph reads.
        repeat: function that launches the graph, and returns the memory of its result.
        state: what the steps change.

    Attributes:
        settings: what was so when it was taken.
    """

    def __init__(self, given: Batch, repeat: Callable[[], Tensor], state: State) -> None:
        self.given, self.repeat = given, repeat
        self.changed, self.updates = tensors_of(state.system), state.updates
        self.settings = settings_of(state.system)
        self.trackers = state.trackers

    def launch(self, batch: Batch) -> Tensor:
        """Make the steps on minibatches, and return the means of their terms."""
        for memory, own in zip(self.given, batch, strict=True):
            memory.copy_(own)
        rows = self.repeat().clone()
        # What Python would have counted: writes, by which what is computed of a tensor is known to
        # be out of date, and Lightning's number of steps.
        torch.autograd.graph.increment_version(self.changed)
        for tracker in self.trackers:
            tracker.ready += self.updates
            tracker.completed += self.updates
        return rows


def tensors_of(system: "BaseVAE") -> list[Tensor]:
    """Return the tensors that a step changes in place."""
    found = [*system.parameters(), *system.buffers(), *system.group_steps.tensors()]
    if system.average is not None:
        found += system.average.tensors()
    for optimizer in system.trainer.optimizers:
        for own in optimizer.state.values():
            found += [value for value in own.values() if isinstance(value, Tensor)]
    return found


def settings_of(system: "BaseVAE") -> list[object]:
    """Return all that steps depend on and a graph does not look up again, to compare it.

    That is where its tensors lie and which of them are trained, every plain value of the modules,
    such as whether a layer is in training, and the settings of the optimizers.

    Args:
        system: system that is trained.
    """
    found: list[object] = []
    for own in tensors_of(system):
        found += [own.data_ptr(), own.requires_grad]
    for module in (*system.model.modules(), *system.objective.modules()):
        found += [value for value in vars(module).values() if isinstance(value, PLAIN)]
    for optimizer in system.trainer.optimizers:
        for group in optimizer.param_groups:
            for value in group.values():
                values = value if isinstance(value, list | tuple) else [value]
                found += [own.data_ptr() if isinstance(own, Tensor) else own for own in values]
    return found


def trackers_of(trainer: Trainer) -> list[_ReadyCompletedTracker]:
    """Return Lightning's counters of the optimizers' steps, of which `global_step` is made."""
    progress = trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
    trackers: Iterable[_ReadyCompletedTracker] = (progress.total, progress.current)
    return list(trackers)


def are_near(rows: Tensor, others: Tensor) -> bool:
    """Return whether the (n, K) means of the terms of n steps differ by rounding alone.

    A single term may be as good as 0, and its rounding is not that of its own size.
    """
    scale = others.abs().amax(dim=1, keepdim=True)
    allowed = torch.full_like(scale, GROWN)
    allowed[0] = ROUNDING
    return bool(((rows - others).abs() <= allowed * scale).all())
