"""Loggers that remember what they are given, as stand-ins for those of Lightning."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lightning.pytorch.loggers import Logger


class Recorder(Logger):
    """A logger with `log_image`, as some of Lightning's have it."""

    def __init__(self, save_dir: str, hue: str = "red") -> None:
        super().__init__()
        self.place, self.hue = save_dir, hue
        self.rows: list[tuple[dict[str, float], int | None]] = []
        self.options: dict[str, Any] = {}
        self.pictures: list[tuple[str, str, int]] = []
        self.status = ""

    @property
    def name(self) -> str:
        return "recorder"

    @property
    def version(self) -> int:
        return 0

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.rows.append((dict(metrics), step))

    def log_hyperparams(self, params: Any) -> None:
        self.options = params

    def log_image(self, key: str, images: list[str], step: int) -> None:
        self.pictures += [(key, Path(own).name, step) for own in images]

    def finalize(self, status: str) -> None:
        self.status = status


class MLflowLike(Logger):
    """A logger with MLflow's client, which takes artifacts of a run."""

    name, version, run_id = "mlflow", 0, "run7"

    def __init__(self, experiment_name: str, run_name: str | None, save_dir: str) -> None:
        super().__init__()
        self.artifacts: list[tuple[str, str, str]] = []
        self.experiment = SimpleNamespace(log_artifact=self.keep)

    def keep(self, run: str, path: str, folder: str) -> None:
        self.artifacts.append((run, Path(path).name, folder))

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        pass

    def log_hyperparams(self, params: Any) -> None:
        pass


class Broken(Recorder):
    """A logger whose disk is full."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        raise OSError("No space left on device")


def absent(save_dir: str) -> Logger:
    """Stands for a logger whose package is not installed."""
    raise ModuleNotFoundError("No module named 'a_service'")
