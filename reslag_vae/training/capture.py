"""CUDA's capture of work as a graph, and the stream that it happens on."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import cache

import torch
from torch import Tensor

# From a function to one that repeats its work on the same memory, and returns the same result.
Capture = Callable[[Callable[[], Tensor]], Callable[[], Tensor]]

# Graphs whose capture has failed.
ABANDONED: list[torch.cuda.CUDAGraph] = []


def beside(device: torch.device) -> AbstractContextManager[object]:
    """Return the context of a GPU's stream of its own, on which graphs are taken.

    The steps before a graph are made there, too: what autograd keeps of a parameter belongs to the
    stream of its first backward pass, and a graph must not wait for another one. Afterwards the
    stream is that of before, also where a capture has failed, which PyTorch leaves open (2.14).
    """
    if device.type != "cuda":
        return nullcontext()
    stream, before = graph_stream(device), torch.cuda.current_stream(device)
    stack = ExitStack()
    stream.wait_stream(before)
    stack.callback(before.wait_stream, stream)
    stack.enter_context(torch.cuda.stream(stream))
    return stack


@cache
def graph_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the stream on which the graphs of a GPU are taken, the same at each call."""
    # A constructor of PyTorch's without annotations.
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def cuda_graph(work: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """Return a function that launches the CUDA graph of some work.

    The work ran before, on the current stream, which is not the default one.
    """
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
            result = work()
    except Exception:  # whatever it was, it is raised again
        abandon(graph)
        raise

    def repeat() -> Tensor:
        graph.replay()
        return result

    return repeat


def abandon(graph: torch.cuda.CUDAGraph) -> None:
    """Let training go on after a capture that has failed.

    PyTorch (2.14) then neither tells the memory's allocator, which goes on asking the graph, nor
    the generator of random numbers, which refuses to draw any.

    Args:
        graph: the graph, which is kept.
    """
    ABANDONED.append(graph)
    device = torch.device("cuda", torch.cuda.current_device())
    generator_of(device).graphsafe_set_state(torch.Generator(device))


def generator_of(device: torch.device) -> torch.Generator:
    """Return the generator that a device draws its noise from."""
    if device.type != "cuda":
        return torch.default_generator
    index = torch.cuda.current_device() if device.index is None else device.index
    generator: torch.Generator = torch.cuda.default_generators[index]
    return generator
