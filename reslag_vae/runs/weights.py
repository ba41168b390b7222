"""The weights of a checkpoint, checked and compared with a model before they are loaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from reslag_vae.runs.build import build_parts

# A checkpoint's tensor that is the system's own: the yardstick's variance.
YARDSTICK = "train_mse"


def weights_of(checkpoint: dict[str, Any]) -> dict[str, Tensor]:
    """Return the weights of a checkpoint's model and objective.

    Raises:
        ValueError: they are not tensors by name, or hold numbers that are not finite.
    """
    return {name: value for name, value in state_of(checkpoint).items() if name != YARDSTICK}


def state_of(checkpoint: dict[str, Any]) -> dict[str, Tensor]:
    """Return all weights of a checkpoint.

    Raises:
        ValueError: they are not tensors by name, or hold numbers that are not finite.
    """
    return plain_tensors(checkpoint["state_dict"])


def plain_tensors(state: Any) -> dict[str, Tensor]:
    """Return what a file holds, once it is seen to be finite tensors by name.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(state, dict) or not all(
        isinstance(value, Tensor) for value in state.values()
    ):
        raise ValueError("it does not hold tensors by name")
    for name, value in state.items():
        if value.layout != torch.strided or value.is_meta or value.is_quantized:
            raise ValueError(f"{name} is no plain tensor")
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise ValueError(f"{name} is larger than what is stored of it")
        if value.is_floating_point() and value.element_size() == 1:
            raise ValueError(f"{name} is of {value.dtype}")
        if value.is_floating_point() and not value.isfinite().all():
            raise ValueError(f"{name} holds numbers that are not finite")
    return state


@contextmanager
def as_in_training() -> Iterator[None]:
    """Have models built in float32 on the CPU within the context.

    After it torch's random numbers and default type are as before.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.random.fork_rng(devices=[]), torch.device("cpu"), torch.inference_mode(False):
            yield
    finally:
        torch.set_default_dtype(before)


def refuse_other_sizes(config: dict[str, Any], state: dict[str, Tensor]) -> None:
    """Refuse a model whose tensors differ from a checkpoint's, before memory is allocated for any.

    Raises:
        ValueError: the message names a tensor.
    """
    registered: list[str] = []

    def count(_: nn.Module, name: str, __: nn.Parameter | None) -> None:
        registered.append(name)
        if len(registered) > len(state):
            raise ValueError(f"its model has more parameters than its {len(state)} tensors")

    hook = nn.modules.module.register_module_parameter_registration_hook(count)
    try:
        with torch.device("meta"):
            parts = build_parts(OmegaConf.create(config))
    finally:
        hook.remove()
    refuse_other_tensors(parts.state_dict(), state)


def refuse_other_tensors(wanted: dict[str, Tensor], state: dict[str, Tensor]) -> None:
    """Refuse weights that do not fit a model.

    Raises:
        ValueError: the message names a tensor.
    """
    for name in wanted.keys() ^ state.keys():
        raise ValueError(
            f"its model has {'no' if name in state else 'a'} tensor {name}, unlike its weights"
        )
    for name, value in wanted.items():
        # Averages of a variance were kept in float32 before; a half model's are written in it.
        kinds = {value.dtype, torch.float32 if value.dtype == torch.float64 else value.dtype}
        if value.shape != state[name].shape or state[name].dtype not in kinds:
            raise ValueError(
                f"{name} is {tuple(state[name].shape)} of {state[name].dtype}, where its model has "
                f"{tuple(value.shape)} of {value.dtype}"
            )
