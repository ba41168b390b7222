"""Weights & Biases: works with no account and no prompt."""

import netrc
import os
import secrets
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlparse

from lightning.pytorch.loggers import WandbLogger

from reslag_vae.files import write_atomically

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
    id_file = folder / ID_FILE
    if not id_file.exists():
        write_atomically(id_file, secrets.token_hex(4))
    name = f"{config['model']} {config['data']} {config['objective']}"
    logger = WandbLogger(
        name=name,
        save_dir=str(folder),
        id=id_file.read_text().strip(),
        project=project,
        group=group,
        mode=None if "WANDB_MODE" in os.environ else ("offline" if offline else "online"),
        resume="allow",
        config=config,
    )
    # Of our own axes, never global_step: that counts the steps of every optimizer.
    logger.experiment.define_metric("images_seen")
    for prefix in ("train", "val", "sigma2", "lr", "figures"):
        logger.experiment.define_metric(f"{prefix}/*", step_metric="images_seen")
    logger.experiment.define_metric("images_per_second", step_metric="images_seen")
    return logger


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
