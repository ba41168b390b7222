"""A study of made-up results."""

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from reslag_vae.runs.formats import write_arrays
from reslag_vae.studies.report.thesis import SETTINGS, setting_of

MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Make a finished run in the folder of a study.

    Example: `make_run("mnist/vae/seed_0", model="vae", rec=...)`.
    """

    def make(
        place: str,
        model: str = "optimal_sigma",
        objective: str = "sigma_data",
        rec: float = 10.0,
        kl: float | None = 17.0,
        loss: float = -760.0,
        epochs: int = 40,
        images: tuple[int, int, int] = (57_000, 3_000, 50),
        evaluation: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        stopped_because: str = "",
        **test: float,
    ) -> Path:
        folder = tmp_path / "study" / "results" / place
        folder.mkdir(parents=True)
        sigma2, dimensions = 0.0125, 784
        elbo = (
            None
            if kl is None
            else -0.5 * (dimensions * np.log(2 * np.pi * sigma2) + rec / sigma2) - kl
        )
        metrics = {
            "loss": loss,
            "rec": rec,
            "kl": kl,
            "kl_per_dim": None if kl is None else kl / 10,
            "elbo": elbo,
        }
        result = {
            "val": metrics,
            "test": metrics | {"active_units": 10.0} | test,
            "model": model,
            "data": place.split("/")[0],
            "objective": objective,
            "images": dict(zip(("train", "val", "test"), images, strict=True)),
            "epoch": epochs - 1,
            "epochs_run": epochs,
            "aggressive_epochs": 0,
            "seconds": 100.0,
            "images_per_second": 2000.0,
            "parameters": {"total": 1234},
            "yardstick_sigma2": sigma2,
            "device": "cpu",
            "stopped_because": stopped_because,
            "versions": {"torch": "2.14.1"},
            "precision": "32-true",
            "commit": "0123456789abcdef",
        }
        (folder / "metrics.json").write_text(json.dumps(result))
        shape = [1, 28, 28] if "mnist" in place else [3, 32, 32]
        data = place.split("/")[0]
        setting = setting_of(data) or SETTINGS["mnist"]
        config: dict[str, Any] = {
            "recipe": {"image_shape": shape},
            "trainer": {"max_epochs": epochs},
            "objective": {"beta": setting.beta} if objective == "beta" else {},
            "network": {"latent_dim": setting.latent, "blocks": [1] * setting.blocks},
            "schedule": {"ratio": setting.ratio, "epochs": setting.aggressive}
            if "lag" in model
            else {},
            "optimizer": {"lr": 0.002},
            "data": {"seed": int(place.rsplit("_", 1)[1])},
        }
        for name, value in (settings or {}).items():
            group, option = name.split(".")
            config.setdefault(group, {})[option] = value
        OmegaConf.save(OmegaConf.create(config), folder / "config.yaml")
        rows = [f"{e},{30 / (e + 1) + rec},{400 + 10 * e + rec}" for e in range(1, 4)]
        (folder / "metrics.csv").write_text("\n".join(["epoch,val/rec,val/elbo", *rows, ""]))
        # Noise of the images, the same under every model, and less of each run's own.
        of_images = np.random.default_rng(0).normal(size=images[2])
        own = 0.1 * np.random.default_rng(zlib.crc32(place.encode())).normal(size=images[2])
        arrays = {"rec": rec + of_images + own - own.mean()} | (
            {} if kl is None else {"kl": kl + 0 * own}
        )
        write_arrays(
            folder / "per_image.npz",
            {name: values.astype(np.float32) for name, values in arrays.items()},
        )
        if evaluation is not None:
            (folder / "evaluation.json").write_text(
                json.dumps({"numbers": evaluation, "epoch": epochs - 1})
            )
        return folder

    return make


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """The folder of the study."""
    return tmp_path / "study"
