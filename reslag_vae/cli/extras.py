"""What commands need beside what loading a model takes, and how to get it."""

from importlib.util import find_spec

from reslag_vae._runtime.errors import UserError

TRAIN = ("lightning", "matplotlib", "sklearn", "torchmetrics", "torchvision")

# Modules by the extra that brings them. Not wandb: a run goes on without it, and says so.
MODULES = {
    "train": TRAIN,
    "evaluate": (*TRAIN, "scipy"),
    "study": (*TRAIN, "scipy", "jinja2"),
}

# Extras by the choice of hydra/launcher or hydra/sweeper that they bring.
PLUGINS = {
    "joblib": "joblib",
    "optuna": "optuna",
    "ray": "ray",
    "submitit_local": "submitit",
    "submitit_slurm": "submitit",
}


def install(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install 'reslag_vae[{extra}]'"


def require(extra: str, command: str) -> None:
    """Refuse a command whose extra is not installed.

    Args:
        extra: that the command needs.
        command: as a user types it, such as "reslag train".

    Raises:
        UserError: it is not; nothing of it is imported for that.
    """
    missing = [name for name in MODULES[extra] if find_spec(name) is None]
    if missing:
        raise UserError(f"{command} needs {', '.join(missing)}: {install(extra)}")
