"""Weights & Biases: works with no account and no prompt."""

import logging
import netrc
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlparse

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from reslag_vae.errors import first_line
from reslag_vae.files import write_atomically
from reslag_vae.runs import ID_FILE

log = logging.getLogger(__name__)

Mode = Literal["auto", "online", "offline"]


class SteadyLogger(WandbLogger):
    """Lightning's, but training outlives it: where W&B fails, the run goes on without, with a word."""

    failed = False

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._attempt(lambda: super(SteadyLogger, self).log_metrics(metrics, step))

    def log_hyperparams(self, params: Any) -> None:
        self._attempt(lambda: super(SteadyLogger, self).log_hyperparams(params))

    def finalize(self, status: str) -> None:
        self._attempt(lambda: super(SteadyLogger, self).finalize(status))

    @rank_zero_only
    def log_pictures(self, pictures: Mapping[str, Path], **values: float) -> None:
        """Show PNG files by name, with values beside them."""
        import wandb

        def show() -> None:
            self.experiment.log({name: wandb.Image(str(path)) for name, path in pictures.items()} | values)

        self._attempt(show)

    @rank_zero_only
    def summarise(self, values: Mapping[str, float | str]) -> None:
        """Put values into the run's summary."""
        self._attempt(lambda: self.experiment.summary.update(dict(values)))

    @rank_zero_only
    def close(self, exit_code: int = 0) -> None:
        """End the W&B run: the next run of this process must not write into it."""
        self._attempt(lambda: self.experiment.finish(exit_code=exit_code))

    def _attempt(self, action: Callable[[], object]) -> None:
        if self.failed:
            return
        try:
            action()
        except Exception as error:  # W&B's service may die, its disk be full or its connection break, in any way
            self.failed = True
            log.warning(
                "W&B has failed and gets nothing more of this run (%s: %s); the run's folder gets everything.",
                type(error).__name__,
                first_line(error),
            )
            with suppress(Exception):  # otherwise W&B tries the same once more at the end of the process, and prints it
                import wandb

                wandb.teardown()


def wandb_logger(project: str, mode: Mode, group: str | None, folder: Path, config: dict[str, Any]) -> SteadyLogger:
    """The logger of the run in `folder`; a resumed run goes on as the same W&B run.

    Args:
        project: of W&B.
        mode: `auto` is online if the user is logged in, else offline. WANDB_MODE, where set, is the user's word.
        group: of the runs of one sweep.
        folder: the run's; W&B's own files go there too.
        config: flat names for the dashboard to group and filter by.

    Raises:
        ValueError: the mode is none of these.
    """
    if mode not in ("auto", "online", "offline"):
        raise ValueError(f"logger.mode={mode}: choose one of auto, online, offline.")
    offline = mode == "offline" or (mode == "auto" and not logged_in())
    os.environ.setdefault("WANDB_SILENT", "true")

    run = None
    if getattr(rank_zero_only, "rank", 0) == 0:
        id_file = folder / ID_FILE
        if not id_file.exists():
            write_atomically(id_file, secrets.token_hex(4))
        options = {
            "project": project,
            "group": group,
            "name": f"{config['model']} {config['data']} {config['objective']}",
            "id": id_file.read_text().strip(),
            "resume": "allow",
            "dir": folder,
            "config": config,
        }
        run = begin(None if "WANDB_MODE" in os.environ else ("offline" if offline else "online"), options)
        where = run.url or f"offline; to upload it: wandb sync {Path(run.dir).parent}"
        log.info("W&B: %s", where)
        # Our own axis, never global_step: that counts the steps of every optimizer.
        run.define_metric("images_seen", hidden=True)
        run.define_metric("*", step_metric="images_seen")
        run.define_metric("val/loss", step_metric="images_seen", summary="min")
    return SteadyLogger(save_dir=folder, project=project, experiment=run)


def begin(mode: Literal["online", "offline"] | None, options: dict[str, Any]) -> Any:
    """A W&B run; an offline one where W&B cannot be reached."""
    import wandb

    try:
        return wandb.init(mode=mode, **options)
    except (wandb.errors.CommError, wandb.errors.AuthenticationError) as error:
        log.warning("W&B cannot be reached, and the run is kept offline: %s", first_line(error))
        wandb.teardown()  # its service still holds the run's id
        return wandb.init(mode="offline", **options)


def add_evaluation(
    logger: SteadyLogger, evaluation: str, numbers: dict[str, float | str], pictures: dict[str, Path]
) -> None:
    """Put an evaluation's numbers into the summary of a run, and its pictures beside those of training.

    Args:
        logger: of the run.
        evaluation: its name, before that of each number and picture.
        numbers: by name.
        pictures: PNG files by name.
    """
    logger.summarise({f"{evaluation}/{name}": value for name, value in numbers.items()})
    logger.log_pictures({f"{evaluation}/{name}": path for name, path in pictures.items()})


def logged_in() -> bool:
    """Whether there is an API key in the environment or in the netrc file, as `wandb login` leaves it there."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    path = Path(os.environ.get("NETRC", Path.home() / ".netrc"))
    try:
        return netrc.netrc(path).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False
