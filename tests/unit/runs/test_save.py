"""Models written by themselves, and read back."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import reslag_vae
from reslag_vae.networks import Network
from reslag_vae.runs.errors import RunError
from tests.systems import make_model


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_a_model_of_any_precision_is_loaded_in_float32(
    dtype: torch.dtype, make_network: Callable[..., Network], tmp_path: Path
) -> None:
    model = make_model(make_network()).to(dtype)
    model.save(tmp_path / "saved")
    loaded = reslag_vae.load(tmp_path / "saved")
    assert {value.dtype for value in loaded.parameters()} == {torch.float32}
    found = loaded.state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(found[name], value.to(found[name].dtype))


def test_weights_that_cannot_be_loaded_are_not_written(
    make_network: Callable[..., Network], tmp_path: Path
) -> None:
    model = make_model(make_network())
    with torch.no_grad():
        model.parameter.fill_(torch.nan)
    with pytest.raises(RunError, match=r"cannot be written: model.* holds numbers that are"):
        model.save(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()
