"""The rank of this process, read from the environment before any library is loaded."""

import os

from reslag_vae._runtime.errors import UserError

# Variables of torchrun, Lightning and Slurm's srun, in the order in which Lightning reads them.
RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
SIZES = {
    "RANK": "WORLD_SIZE",
    "LOCAL_RANK": "WORLD_SIZE",
    "SLURM_PROCID": "SLURM_STEP_NUM_TASKS",
}

# Those of launchers from outside; where Lightning starts the others there is but a LOCAL_RANK.
LAUNCHED = ("RANK", "SLURM_PROCID")


def forget_others() -> None:
    """Remove from the environment of a single process a rank that is not the first one's.

    Something else has left it there, and whatever reads it would show and write nothing. Call this
    before Lightning is loaded.

    Raises:
        UserError: a rank or a number of processes is none.
    """
    for name in RANKS:
        if name not in os.environ:
            continue
        if size_of(name) > 1:
            # Without zeros before it, as `is_first` reads it.
            os.environ[name] = str(whole(name, least=0, most=size_of(name) - 1))
        elif os.environ[name] != "0":
            del os.environ[name]


def is_first() -> bool:
    """Return whether this process manages the run's folder and output; a single one does."""
    ranks = [os.environ[name] for name in RANKS if name in os.environ]
    return not ranks or ranks[0] == "0"


def launched_processes() -> int:
    """Return the number of processes that torchrun or srun has launched together.

    It is 1 if neither has: then the first process launches the others.

    Raises:
        UserError: the environment gives no number.
    """
    return next((size_of(rank) for rank in LAUNCHED if rank in os.environ), 1)


def size_of(rank: str) -> int:
    """Return the number of processes of which a variable of the environment gives the rank.

    Raises:
        UserError: it is no number.
    """
    return whole(SIZES[rank], least=1) if SIZES[rank] in os.environ else 1


def whole(name: str, least: int, most: int | None = None) -> int:
    """Return the whole number in a variable of the environment.

    Raises:
        UserError: it is none, a smaller or a larger one.
    """
    value = os.environ[name]
    if not value.isdecimal() or int(value) < least or (most is not None and int(value) > most):
        range_ = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise UserError(
            f"{name}={value}: must be a whole number {range_} in the environment, as torchrun and "
            "srun set it; a single process needs none."
        )
    return int(value)
