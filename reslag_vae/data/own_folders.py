"""The recognition of folders that this program or W&B has written, whose pictures are results."""

from pathlib import Path

# What tells a folder that this program has written: all names of one of these are in it.
OWN_FOLDERS = (
    {"config.yaml", "checkpoints"},
    {"config.yaml", "figures"},
    {"config.yaml", "metrics.csv"},
    {"config.yaml", "run.json"},
    {"config.yaml", "train.log"},
    {"config.json", "model.safetensors"},
    {"comparison.md"},
    {"study.json"},
    {"applied.json"},
)

# Folders that a run may leave in a folder that holds other things, too.
RUN_FOLDERS = frozenset({"checkpoints", "figures", "wandb"})


def is_own(folder: Path, names: set[str]) -> bool:
    """Return whether this program or W&B has written a folder.

    Args:
        folder: path of the folder.
        names: names of what is in it.
    """
    of_dashboard = folder.name == "wandb" and any(
        name.startswith(("run-", "offline-run-")) for name in names
    )
    return of_dashboard or any(own <= names for own in OWN_FOLDERS)
