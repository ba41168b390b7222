"""Many jobs at once, and many pictures."""

import io
import json
import os
import subprocess
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from reslag_vae.data import ImageFolder
from tests.running import BARE, command

pytestmark = pytest.mark.slow

JOBS = 50
PICTURES = 100_000


@pytest.mark.parametrize(
    "options",
    [
        ["hydra/launcher=joblib", "hydra.launcher.n_jobs=10"],
        [
            "hydra/launcher=ray",
            "++hydra.launcher.ray.init.num_cpus=10",
            "++hydra.launcher.ray.init.include_dashboard=false",
        ],
    ],
    ids=["joblib", "ray"],
)
def test_fifty_jobs_at_once_do_not_meet(options: list[str], tmp_path: Path) -> None:
    """Ten at any time, all of which need the same cache at first; each with a W&B run."""
    (tmp_path / "pictures").mkdir()
    for number in range(40):
        picture = Image.new("RGB", (16, 16), (6 * number, 0, 0))
        picture.paste((255, 255, 255), (4, 4, 12, 12))
        picture.save(tmp_path / "pictures" / f"{number}.png")
    sweep = [
        *BARE,
        "model=vae",
        "data=image_folder",
        f"data.folder={tmp_path / 'pictures'}",
        f"data.root={tmp_path}",
    ]
    sweep += [
        "data.size=16",
        "trainer.max_epochs=1",
        "logger=wandb",
        f"seed=range({JOBS})",
        "hydra.sweep.dir=sweep",
    ]
    done = subprocess.run(
        command("-m", *sweep, *options),
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    results = sorted((tmp_path / "sweep").glob("*/metrics.json"))
    assert sorted(json.loads(path.read_text())["seed"] for path in results) == list(range(JOBS))
    assert len({path.read_text() for path in tmp_path.glob("sweep/*/wandb_id.txt")}) == JOBS
    assert all(len(list(path.parent.glob("wandb/offline-run-*"))) == 1 for path in results)
    caches = {path.stem for path in (tmp_path / ".cache" / "reslag_vae").iterdir()}
    assert len(caches) == 1, caches


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def pictures() -> dict[str, bytes]:
    """By the end of their names: red ones of every kind, but for grey ones, and one half black."""
    red, exif = Image.new("RGB", (12, 8), (255, 0, 0)), Image.Exif()
    exif[0x0112] = 6
    halves = red.copy()
    halves.paste((0, 0, 0), (6, 0, 12, 8))
    deep = Image.fromarray(np.full((8, 12), 0x8000, np.uint16))
    return {
        "clear 😀.png": encoded(red.convert("RGBA"), "PNG"),
        "halves.png": encoded(halves, "PNG"),
        "ärger.jpg": encoded(red, "JPEG"),
        "写真.webp": encoded(red, "WEBP", lossless=True),
        "cmyk.jpg": encoded(red.convert("CMYK"), "JPEG"),
        "palette.gif": encoded(red.quantize(4), "GIF"),
        "animated.gif": encoded(
            red, "GIF", save_all=True, append_images=[Image.new("RGB", (12, 8), (0, 255, 0))]
        ),
        "rotated.jpg": encoded(red, "JPEG", exif=exif),
        "grey.png": encoded(Image.new("L", (12, 8), 128), "PNG"),
        "deep.png": encoded(deep, "PNG"),
    }


def test_a_hundred_thousand_pictures_of_every_kind(tmp_path: Path) -> None:
    kinds = pictures()
    for number, (end, content) in enumerate(islice(cycle(kinds.items()), PICTURES)):
        folder = tmp_path / "pictures" / f"{number // 10_000:02}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:06} {end}").write_bytes(content)
    data = ImageFolder(tmp_path, 1000, 0.1, 0, tmp_path / "pictures", size=8)
    data.setup()
    assert sum(len(data.split(name)) for name in ("train", "val", "test")) == PICTURES
    assert data.num_classes == 10
    store = data.split("train").store
    assert store.shape == (PICTURES, 3, 8, 8)
    colours = [(128, 128, 128) if end in ("grey.png", "deep.png") else (255, 0, 0) for end in kinds]
    expected = torch.tensor(colours)[:, :, None, None].repeat(1, 1, 8, 8)
    # The middle of 12 pixels, as wide as high.
    expected[list(kinds).index("halves.png"), :, :, 4:] = 0
    for start in range(0, PICTURES, 10_000):
        part = store[start : start + 10_000].unflatten(0, (1000, 10)).int()
        assert int((part - expected).abs().max()) <= 2
