"""One pass over pictures: what a conditional model is told of them."""

from collections.abc import Callable
from pathlib import Path

import torch
from omegaconf import DictConfig
from PIL import Image

from reslag_vae.apply.inputs import find_inputs
from reslag_vae.apply.outputs import Seen
from reslag_vae.apply.request import Request
from reslag_vae.apply.subject import Subject
from reslag_vae.apply.work import go_through
from reslag_vae.evaluation.progress import silent
from reslag_vae.options.condition import named
from reslag_vae.runs.picture_format import PictureFormat
from reslag_vae.training.build import build_system
from tests.systems import TINY


@torch.no_grad()
def test_a_picture_is_of_its_folder_s_class_however_it_is_named(
    compose: Callable[..., DictConfig], tmp_path: Path
) -> None:
    config = named(compose("model=vae", "condition=label", *TINY), ["cat", "dog"])
    model = build_system(config).model.eval()
    subject = Subject(model, None, tmp_path, PictureFormat())
    for name in ("dog/a.png", "dog/old/b.png", "cat/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 12), "red").save(tmp_path / name)
    dog, old, cat = tmp_path / "dog", tmp_path / "dog" / "old", tmp_path / "cat"
    for given, classes in (
        ([tmp_path], [0, 1, 1]),
        ([dog], [1, 1]),
        ([dog / "a.png"], [1]),
        ([cat], [0]),
        ([cat / "c.png"], [0]),
        ([dog / "a.png", old], [1, 1]),
    ):
        told: list[int] = []

        def note(seen: Seen, told: list[int] = told) -> None:
            assert seen.model.conditions is not None
            told.extend(seen.model.conditions.argmax(1).tolist())

        go_through(Request(tmp_path), find_inputs(given), subject, [note], silent)
        assert told == classes
