"""Weights & Biases: works with no account and no prompt."""

import logging
import netrc
import os
import secrets
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlparse

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from reslag_vae.files import write_atomically

log = logging.getLogger(__name__)

Mode = Literal["auto", "online", "offline"]
ID_FILE = "wandb_id.txt"


def wandb_logger(project: str, mode: Mode, group: str | None, folder: Path, config: dict[str, Any]) -> WandbLogger:
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
    import wandb

    id_file = folder / ID_FILE
    if not id_file.exists():
        write_atomically(id_file, secrets.token_hex(4))
    run = None
    if getattr(rank_zero_only, "rank", 0) == 0:
        run = wandb.init(
            project=project,
            group=group,
            name=f"{config['model']} {config['data']} {config['objective']}",
            id=id_file.read_text().strip(),
            resume="allow",
            dir=folder,
            mode=None if "WANDB_MODE" in os.environ else ("offline" if offline else "online"),
            config=config,
        )
        where = run.url or f"offline; to upload it: wandb sync {Path(run.dir).parent}"
        log.info("W&B: %s", where)
        # Our own axis, never global_step: that counts the steps of every optimizer.
        run.define_metric("images_seen", hidden=True)
        run.define_metric("*", step_metric="images_seen")
        run.define_metric("val/loss", step_metric="images_seen", summary="min")
    return WandbLogger(save_dir=folder, project=project, experiment=run)


def add_evaluation(
    logger: WandbLogger, evaluation: str, numbers: dict[str, float | str], pictures: dict[str, Path]
) -> None:
    """Put an evaluation's numbers into the summary of a run, and its pictures beside those of training.

    Args:
        logger: of the run.
        evaluation: its name, before that of each number and picture.
        numbers: by name.
        pictures: PNG files by name.
    """
    import wandb

    logger.experiment.summary.update({f"{evaluation}/{name}": value for name, value in numbers.items()})
    logger.experiment.log({f"{evaluation}/{name}": wandb.Image(str(path)) for name, path in pictures.items()})


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
