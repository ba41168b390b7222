"""The extras of the package that commands need, and the commands that install them."""

from reslag_vae._runtime.errors import UserError
from reslag_vae._runtime.packages import missing

TRAIN = ("lightning", "matplotlib", "sklearn", "torchmetrics")

# Modules by the extra that brings them. Not wandb, without which a run goes on and says so; not
# torchvision, which some data sets need and ask for; not gradio, without which a file is written.
MODULES = {
    "train": TRAIN,
    "evaluate": (*TRAIN, "scipy"),
    "study": (*TRAIN, "scipy", "jinja2"),
    "apply": ("PIL", "matplotlib"),
    "hub": ("huggingface_hub",),
    "explore": ("PIL",),
    "dashboard": ("wandb_workspaces",),
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
        extra: the extra that the command needs.
        command: the command as a user types it, such as "reslag train".

    Raises:
        UserError: the extra is not installed; no module of it is imported to find out.
    """
    absent = missing(MODULES[extra])
    if absent:
        raise UserError(f"{command} needs {', '.join(absent)}: {install(extra)}")
