"""What `reslag apply` and `reslag explore` set before a model works."""

from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest
import torch

from reslag_vae._runtime import process
from reslag_vae.apply import command as applying
from reslag_vae.apply.request import Request as Applied
from reslag_vae.explore import command as exploring
from reslag_vae.explore.request import Request as Explored


class ReachedError(Exception):
    """The work begins."""


@pytest.mark.parametrize(
    ("command", "work", "request_"),
    [
        (applying, "reslag_vae.apply.work.apply", Applied(Path("run"))),
        (exploring, "reslag_vae.explore.work.read_explorers", Explored([Path("run")])),
    ],
    ids=["apply", "explore"],
)
def test_a_gpu_rounds_no_product(
    command: ModuleType, work: str, request_: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(*_: object) -> NoReturn:
        assert torch.get_float32_matmul_precision() == "highest"
        assert not torch.backends.cudnn.allow_tf32
        raise ReachedError

    monkeypatch.setattr(command, "checked_inputs", lambda _: None)
    monkeypatch.setattr(process, "tune", lambda: None)
    monkeypatch.setattr(process, "wait_briefly_in_a_crowd", lambda: None)
    monkeypatch.setattr(work, begin)
    with process.kept_products():
        process.allow_rounded_products(True)
        with pytest.raises(ReachedError):
            command.run(request_)
