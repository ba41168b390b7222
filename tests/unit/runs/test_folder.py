import json
import math
import os
import pickle
import re
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch

from reslag_vae.runs.checkpoints import checkpoint_path, read_checkpoint
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import clean, config_path, monitored_value, write_result
from reslag_vae.runs.formats import finite_or_null, read_arrays, write_arrays

CHECKPOINT = {
    "epoch": 3,
    "state_dict": {"weight": torch.arange(6.0).view(2, 3)},
    "hyper_parameters": {"a": [1, "b"]},
}


def test_checkpoint_round_trip(tmp_path: Path) -> None:
    torch.save(CHECKPOINT, tmp_path / "a.ckpt")
    read = read_checkpoint(tmp_path / "a.ckpt")

    assert torch.equal(read["state_dict"]["weight"], CHECKPOINT["state_dict"]["weight"])  # type: ignore[index]
    assert read["hyper_parameters"] == {"a": [1, "b"]}


def whole(folder: Path) -> bytes:
    torch.save(CHECKPOINT, folder / "whole.ckpt")
    return (folder / "whole.ckpt").read_bytes()


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_truncated_checkpoint_is_named(tmp_path: Path, kept: float) -> None:
    data, path = whole(tmp_path), tmp_path / "cut.ckpt"
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(RunError, match=re.escape(str(path))):
        read_checkpoint(path)


def test_a_checkpoint_with_damaged_bytes_is_named(tmp_path: Path) -> None:
    path = tmp_path / "damaged.ckpt"
    path.write_bytes(whole(tmp_path).replace(b"state_dict", b"state\xffdict"))
    with pytest.raises(RunError, match=re.escape(str(path))):
        read_checkpoint(path)


def test_a_flipped_bit_is_named_or_changes_nothing(tmp_path: Path) -> None:
    """PyTorch's own reader takes most of them for weights."""
    data, path, random = whole(tmp_path), tmp_path / "flipped.ckpt", Random(0)
    refused = 0
    for _ in range(300):
        bit = random.randrange(8 * len(data))
        path.write_bytes(
            data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]
        )
        try:
            read = read_checkpoint(path)
        except RunError:
            refused += 1
        else:
            assert torch.equal(read["state_dict"]["weight"], CHECKPOINT["state_dict"]["weight"])  # type: ignore[index]
            assert (read["epoch"], read["hyper_parameters"]) == (3, {"a": [1, "b"]})
    assert refused > 30  # others hit what fills the file up, or names that nobody reads


@pytest.mark.parametrize(
    "content",
    [b"hello world\n", b"\x00" * 100, b"\x80\x02garbage", b"version: 1", bytes(range(256))],
)
def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.ckpt"
    path.write_bytes(content)
    with pytest.raises(RunError, match=re.escape(str(path))):
        read_checkpoint(path)


@pytest.mark.parametrize("content", [[1, 2, 3], torch.zeros(3), 5])
def test_a_checkpoint_of_something_else_is_named(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "other.ckpt"
    torch.save(content, path)
    with pytest.raises(RunError, match=re.escape(str(path))):
        read_checkpoint(path)


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=re.escape(str(tmp_path / "none.ckpt"))):
        read_checkpoint(tmp_path / "none.ckpt")


class Payload:
    """A pickle that makes a folder when it is loaded without care."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_code_in_a_checkpoint_is_refused_and_never_run(tmp_path: Path, how: str) -> None:
    path, target = tmp_path / "evil.ckpt", tmp_path / "executed"
    content = {"state_dict": {}, "hyper_parameters": Payload(target)}
    if how == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content, protocol=2))

    with pytest.raises(RunError, match=re.escape(str(path))):
        read_checkpoint(path)
    assert not target.exists()
    torch.load(path, weights_only=False) if how == "torch" else pickle.loads(path.read_bytes())
    assert target.exists(), "the payload is harmless: this test would prove nothing"


def test_checkpoint_and_config_paths(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"checkpoints/best\.ckpt"):
        checkpoint_path(tmp_path, "best")
    with pytest.raises(RunError, match=r"config\.yaml"):
        config_path(tmp_path)

    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.ckpt").touch()
    (tmp_path / "config.yaml").touch()
    assert checkpoint_path(tmp_path, "best") == tmp_path / "checkpoints" / "best.ckpt"
    assert config_path(tmp_path) == tmp_path / "config.yaml"


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_finite_replaces_what_json_cannot_hold(number: float) -> None:
    assert finite_or_null(number) is None
    assert finite_or_null({"a": {"b": number, "c": 1.5}, "d": "text", "e": 3, "f": None}) == {
        "a": {"b": None, "c": 1.5},
        "d": "text",
        "e": 3,
        "f": None,
    }


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_finite_looks_into_lists(number: float) -> None:
    assert finite_or_null({"a": [1.0, number, {"b": number}]}) == {"a": [1.0, None, {"b": None}]}


def test_result_is_strict_json(tmp_path: Path) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    result = {"test": {"loss": math.nan, "elbo": -math.inf, "rec": 0.1}, "epoch": 4, "commit": None}
    write_result(tmp_path / "run", result)
    text = (tmp_path / "run" / "metrics.json").read_text()

    assert json.loads(text, parse_constant=refuse) == {
        "test": {"loss": None, "elbo": None, "rec": 0.1},
        "epoch": 4,
        "commit": None,
    }


def test_a_result_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    write_result(tmp_path, {"a": 1})
    with pytest.raises(TypeError):
        write_result(tmp_path, {"a": object()})
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"a": 1}


def test_arrays_come_back(tmp_path: Path) -> None:
    arrays = {"rec": np.arange(5, dtype=np.float32), "kl": np.ones(5, dtype=np.float32)}
    write_arrays(tmp_path / "a.npz", arrays)
    read = read_arrays(tmp_path / "a.npz")
    assert read.keys() == arrays.keys()
    assert all(np.array_equal(read[name], arrays[name]) for name in arrays)
    assert read_arrays(tmp_path / "b.npz") == {}


def test_damaged_arrays_and_those_of_objects_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_arrays(path, {"rec": np.arange(500.0)})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(RunError, match=re.escape(f"{path} is damaged")):
        read_arrays(path)
    np.savez(path, rec=np.array([Payload(tmp_path / "executed")], dtype=object))
    with pytest.raises(RunError, match=re.escape(f"{path} is damaged")):
        read_arrays(path)
    assert not (tmp_path / "executed").exists()


def test_the_value_that_chose_the_epoch(tmp_path: Path) -> None:
    assert monitored_value(tmp_path) is None
    write_result(tmp_path, {"monitored": {"name": "val/loss", "value": -3.5}})
    assert monitored_value(tmp_path) == -3.5
    write_result(tmp_path, {"epoch": 3})
    with pytest.raises(RunError, match=r"metrics\.json does not say by which value"):
        monitored_value(tmp_path)


@pytest.mark.parametrize(
    "name", ["metrics.csv", "wandb_id.txt", "wandb_step.txt", "figures/curves.png"]
)
def test_what_a_killed_process_has_left_is_removed(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    left = path.with_name(f".{path.name}.0123abcd.unfinished")
    left.parent.mkdir(exist_ok=True)
    for own in (path, left):
        own.write_bytes(b"")
    clean(tmp_path)
    assert (path.exists(), left.exists()) == (True, False)
