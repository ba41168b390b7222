"""Which of the processes of a run this is, by the environment: known before any library is loaded."""

import os

# As torchrun, Lightning and Slurm's srun set them, in the order in which Lightning reads them.
RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
SIZES = {"RANK": "WORLD_SIZE", "SLURM_PROCID": "SLURM_STEP_NUM_TASKS"}


def is_first() -> bool:
    """Whether this is the process that minds the run's folder and shows how it goes; a single one is."""
    return next((os.environ[name] for name in RANKS if name in os.environ), "0") == "0"


def started() -> int:
    """How many processes torchrun or srun has started together; 1 if none did: then the first one starts the others."""
    return next(
        (int(os.environ.get(size, "1")) for rank, size in SIZES.items() if rank in os.environ), 1
    )
