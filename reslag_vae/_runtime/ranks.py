"""The rank of this process, read from the environment before any library is loaded."""

import os

# Variables of torchrun, Lightning and Slurm's srun, in the order in which Lightning reads them.
RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
SIZES = {"RANK": "WORLD_SIZE", "SLURM_PROCID": "SLURM_STEP_NUM_TASKS"}


def is_first() -> bool:
    """Return whether this process manages the run's folder and output; a single one does."""
    ranks = [os.environ[name] for name in RANKS if name in os.environ]
    return not ranks or ranks[0] == "0"


def launched_processes() -> int:
    """Return the number of processes that torchrun or srun has launched together.

    It is 1 if neither has: then the first process launches the others.
    """
    for rank, size in SIZES.items():
        if rank in os.environ:
            return int(os.environ.get(size, "1"))
    return 1
