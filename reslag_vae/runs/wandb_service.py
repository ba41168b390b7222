"""The start of a W&B run: online or offline, new or continued."""

import logging
import netrc
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlparse

from reslag_vae._runtime.errors import printable
from reslag_vae._runtime.files import write_atomically
from reslag_vae._runtime.terminal import command
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import DASHBOARD, ID_FILE, STEP_FILE
from reslag_vae.runs.formats import read_bytes

log = logging.getLogger(__name__)

Mode = Literal["auto", "online", "offline"]

LONGEST = 250  # letters of an error in the log
MOST_BYTES = 1_000  # of an id or a number of steps
VALID_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def start_run(mode: Mode, folder: Path, options: dict[str, Any]) -> Any:
    """Start the W&B run of a folder; return None if W&B is disabled or does not start.

    The log says which.
    """
    keep_settings_without_home(folder)
    try:
        run = init_run(mode, options | run_options(folder, options["config"]))
        log.info("W&B: %s", dashboard_of(run))
        if run.disabled:
            return None
        continue_steps(run, folder)
    except Exception as error:
        # A setting of the environment, a file or a server may be wrong in any way.
        log.warning(
            "W&B does not start (%s): the run goes on without, and its folder gets everything.",
            reason(error),
        )
        end_service()
        return None
    return run


def keep_settings_without_home(folder: Path) -> None:
    """Have W&B keep its settings and its cache with the run if the user has no home folder."""
    if not os.path.isabs(os.path.expanduser("~")):
        for name in ("WANDB_CONFIG_DIR", "XDG_CACHE_HOME"):
            os.environ.setdefault(name, str(folder.absolute() / DASHBOARD))


def init_run(mode: Mode, options: dict[str, Any]) -> Any:
    """Start a W&B run, offline if W&B cannot be reached."""
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


def run_options(folder: Path, config: dict[str, Any]) -> dict[str, str]:
    """Return the options of `wandb.init` that identify the run."""
    name = f"{config['model']} {config['data']} {config['objective']}"
    return {"name": name, "id": id_of(folder), "resume": "allow"}


def id_of(folder: Path) -> str:
    """Return the W&B id of the run in a folder; a new one if there is none or it is damaged.

    Raises:
        OSError: the file of the id cannot be read or written.
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


def dashboard_of(run: Any) -> str:
    """Return the address of a run's dashboard, or the command that uploads an offline run.

    The command uploads all segments of the run at once, in the order of their names.
    """
    if run.disabled:
        return "disabled"
    if not run.offline:
        return str(run.url)
    segments = Path(run.dir).parents[1]
    return f"offline; to upload it: wandb sync {command(str(segments))}/offline-run-*"


def continue_steps(run: Any, folder: Path) -> None:
    """Have a resumed run continue the count of its steps, and set the x axis to images seen."""
    # A new run has no such file, and that of a resumed one may be damaged.
    with suppress(FileNotFoundError, RunError, ValueError):
        before = int(read_bytes(folder / STEP_FILE, MOST_BYTES))
        if before > run.step:
            run.log({}, step=before)
    # Never global_step: that counts the steps of every optimizer.
    run.define_metric("images_seen", hidden=True)
    run.define_metric("*", step_metric="images_seen")
    run.define_metric("val/loss", step_metric="images_seen", summary="min")
    run.define_metric("val/elbo", step_metric="images_seen", summary="max")


def reason(error: Exception) -> str:
    """Return what an exception of W&B says, on one line and without its validator's advice."""
    text = printable(" ".join(f"{type(error).__name__}: {error}".split())).partition(
        " For further information"
    )[0]
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def end_service() -> None:
    """End W&B's own process, which would otherwise try again, and print, as this one exits."""
    with suppress(Exception):
        import wandb

        wandb.teardown()


def logged_in() -> bool:
    """Return whether W&B has an API key, in the environment or in the netrc file."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
        # Where there is no home, `~` stays as it is.
        path = os.environ.get("NETRC") or os.path.expanduser("~/.netrc")
        return netrc.netrc(path).authenticators(host) is not None
    except (OSError, ValueError, netrc.NetrcParseError):
        return False
