"""Weights & Biases: works with no account and no prompt."""

import logging
import netrc
import os
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlparse

from lightning.fabric.loggers.logger import _DummyExperiment
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from reslag_vae._runtime.errors import printable
from reslag_vae._runtime.files import write_atomically
from reslag_vae._runtime.terminal import command
from reslag_vae.runs.folder import DASHBOARD, ID_FILE, STEP_FILE, RunError, read_bytes

log = logging.getLogger(__name__)

Mode = Literal["auto", "online", "offline"]

LONGEST = 250  # letters of an error in the log
MOST_BYTES = 1_000  # of an id or a number of steps
VALID_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class SteadyLogger(WandbLogger):
    """Lightning's, but training outlives it: where W&B fails, the run goes on without, with a word.

    Attributes:
        off: whether W&B gets nothing, or nothing more.
    """

    off = False

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._attempt(lambda: super(SteadyLogger, self).log_metrics(metrics, step))
        self._attempt(self._keep_step)

    def log_hyperparams(self, params: Any) -> None:
        self._attempt(lambda: super(SteadyLogger, self).log_hyperparams(params))

    def finalize(self, status: str) -> None:
        self._attempt(lambda: super(SteadyLogger, self).finalize(status))

    @rank_zero_only
    def log_pictures(self, pictures: Mapping[str, Path], **values: float) -> None:
        """Show PNG files by name, with values beside them."""
        import wandb

        def show() -> None:
            self.experiment.log(
                {name: wandb.Image(str(path)) for name, path in pictures.items()} | values
            )

        self._attempt(show)
        self._attempt(self._keep_step)

    @rank_zero_only
    def summarise(self, values: Mapping[str, float | str]) -> None:
        """Put values into the run's summary."""
        self._attempt(lambda: self.experiment.summary.update(dict(values)))

    @rank_zero_only
    def close(self, exit_code: int = 0) -> None:
        """End the W&B run: the next run of this process must not write into it."""
        self._attempt(lambda: self.experiment.finish(exit_code=exit_code))

    @rank_zero_only
    def _keep_step(self) -> None:
        write_atomically(Path(str(self.save_dir)) / STEP_FILE, str(self.experiment.step))

    def _attempt(self, action: Callable[[], object]) -> None:
        if self.off:
            return
        try:
            action()
        except (
            Exception
        ) as error:  # W&B's service may die, its disk be full or its connection break, in any way
            self.off = True
            log.warning(
                "W&B has failed and gets nothing more of this run (%s); the run's folder gets "
                "everything.",
                reason(error),
            )
            end_service()


def wandb_logger(
    project: str, mode: Mode, group: str | None, folder: Path, config: dict[str, Any]
) -> SteadyLogger:
    """The logger of the run in `folder`; a resumed run goes on as the same W&B run.

    Where W&B does not start, for whatever reason, the logger takes everything and does nothing,
    with a word.

    Args:
        project: of W&B.
        mode: `auto` is online if the user is logged in, else offline. WANDB_MODE, where set, is the
            user's word.
        group: of the runs of one sweep.
        folder: the run's; W&B's own files go there too.
        config: flat names for the dashboard to group and filter by.

    Raises:
        ValueError: the mode is none of these.
    """
    if mode not in ("auto", "online", "offline"):
        raise ValueError(f"logger.mode={mode}: choose one of auto, online, offline.")
    os.environ.setdefault("WANDB_SILENT", "true")
    options = {"project": project, "group": group, "dir": folder, "config": config}
    run = started(mode, folder, options) if getattr(rank_zero_only, "rank", 0) == 0 else None
    # Where there is none, Lightning would start one itself.
    experiment: Any = _DummyExperiment() if run is None else run
    logger = SteadyLogger(save_dir=folder, project=project, experiment=experiment)
    logger.off = run is None
    return logger


def started(mode: Mode, folder: Path, options: dict[str, Any]) -> Any:
    """The W&B run of a folder, told in the log; None where it is disabled or does not start."""
    do_without_home(folder)
    try:
        run = begin(mode, options | named(folder, options["config"]))
        log.info("W&B: %s", where(run))
        if run.disabled:
            return None
        go_on(run, folder)
    except (
        Exception
    ) as error:  # a setting of the environment, a file or a server may be wrong in any way
        log.warning(
            "W&B does not start (%s): the run goes on without, and its folder gets everything.",
            reason(error),
        )
        end_service()
        return None
    return run


def do_without_home(folder: Path) -> None:
    """Where the user has no home, have W&B keep its settings and its cache with the run."""
    if not os.path.isabs(os.path.expanduser("~")):
        for name in ("WANDB_CONFIG_DIR", "XDG_CACHE_HOME"):
            os.environ.setdefault(name, str(folder.absolute() / DASHBOARD))


def begin(mode: Mode, options: dict[str, Any]) -> Any:
    """A W&B run; an offline one where W&B cannot be reached."""
    import wandb

    offline = mode == "offline" or (mode == "auto" and not logged_in())
    try:
        return wandb.init(
            mode=None if os.environ.get("WANDB_MODE") else ("offline" if offline else "online"),
            **options,
        )
    except (wandb.errors.CommError, wandb.errors.AuthenticationError) as error:
        log.warning("W&B cannot be reached, and the run is kept offline: %s", reason(error))
        wandb.teardown()  # its service still holds the run's id
        return wandb.init(mode="offline", **options)


def named(folder: Path, config: dict[str, Any]) -> dict[str, str]:
    """The options of `wandb.init` that say which run it is."""
    name = f"{config['model']} {config['data']} {config['objective']}"
    return {"name": name, "id": id_of(folder), "resume": "allow"}


def id_of(folder: Path) -> str:
    """The id of a run by its folder; a new one where there is none.

    So is it where the id is damaged, which is told.

    Raises:
        OSError: the file cannot be read or written.
    """
    path, found = folder / ID_FILE, None
    if path.exists():
        try:
            found = read_bytes(path, MOST_BYTES).decode("utf-8", errors="replace").strip()
        except RunError:
            found = ""
        if VALID_ID.fullmatch(found):
            return found
    new = secrets.token_hex(4)
    write_atomically(path, new)
    if found is not None:
        log.warning("%s is damaged: for W&B this is another run from now on, %s.", path, new)
    return new


def where(run: Any) -> str:
    """Where a run's dashboard is, or how to upload it.

    All of its segments are uploaded at once, in the order of their names.
    """
    if run.disabled:
        return "disabled"
    if not run.offline:
        return str(run.url)
    segments = Path(run.dir).parents[1]
    return f"offline; to upload it: wandb sync {command(str(segments))}/offline-run-*"


def go_on(run: Any, folder: Path) -> None:
    """Have a run count its steps on from those before, on our own axis."""
    with suppress(
        FileNotFoundError, RunError, ValueError
    ):  # of a run that has begun just now, or a damaged file
        before = int(read_bytes(folder / STEP_FILE, MOST_BYTES))
        if before > run.step:
            run.log({}, step=before)
    # Never global_step: that counts the steps of every optimizer.
    run.define_metric("images_seen", hidden=True)
    run.define_metric("*", step_metric="images_seen")
    run.define_metric("val/loss", step_metric="images_seen", summary="min")


def reason(error: Exception) -> str:
    """What an exception of W&B's says, in one line, without the advice of its validator."""
    text = printable(" ".join(f"{type(error).__name__}: {error}".split())).partition(
        " For further information"
    )[0]
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def end_service() -> None:
    """End W&B's own process: it would try again at the end of this one, and print it."""
    with suppress(Exception):
        import wandb

        wandb.teardown()


def add_evaluation(
    logger: SteadyLogger,
    evaluation: str,
    numbers: dict[str, float | str],
    pictures: dict[str, Path],
) -> None:
    """Put an evaluation's numbers into a run's summary, its pictures beside those of training.

    Args:
        logger: of the run.
        evaluation: its name, before that of each number and picture.
        numbers: by name.
        pictures: PNG files by name.
    """
    logger.summarise({f"{evaluation}/{name}": value for name, value in numbers.items()})
    logger.log_pictures({f"{evaluation}/{name}": path for name, path in pictures.items()})


def logged_in() -> bool:
    """Whether there is an API key in the environment or in the netrc file, as of `wandb login`."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
        # Where there is no home, `~` stays as it is.
        path = os.environ.get("NETRC") or os.path.expanduser("~/.netrc")
        return netrc.netrc(path).authenticators(host) is not None
    except (OSError, ValueError, netrc.NetrcParseError):
        return False
