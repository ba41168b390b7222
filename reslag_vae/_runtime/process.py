"""Settings of the C library and of the environment that make training steps faster."""

import ctypes
import logging
import os
import sys
import warnings

# Of <malloc.h>.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3

# Of OpenMP and of GNU's library for it: how long a thread without work turns round before it
# sleeps. So many turns reach over the gaps within a step; `benchmarks/results/busy` has what others
# cost.
BRIEF = {"GOMP_SPINCOUNT": "3000"}
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


def peak_memory() -> int:
    """Bytes of main memory that this process has held at most, files mapped into it included."""
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def wait_briefly() -> None:
    """Have threads without work sleep soon, unless the user has set how they wait. Results are the same, bitwise.

    By default they turn round for milliseconds. Where other processes want the cores, those of one
    step then keep each other from working. To be called before PyTorch is loaded, which reads the
    environment only then; the processes that this one starts have it too.
    """
    if not any(name in os.environ for name in WAITING):
        os.environ.update(BRIEF)


def tune() -> None:
    """Make training steps on the CPU faster; results are the same, bitwise. Once for a process is enough."""
    keep_freed_memory()
    hide_missing_gpus()


def keep_freed_memory() -> None:
    """Have the C library keep the memory of freed tensors for the next step's.

    By default glibc gives large blocks back to the system at once and asks for them again a moment
    later, and the system clears each page of them anew: thousands of page faults a step, a fifth of
    its time. With other C libraries this does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return
    # Older versions of glibc refuse more than 32 MiB.
    if not mallopt(M_MMAP_THRESHOLD, 1 << 30):
        mallopt(M_MMAP_THRESHOLD, 32 << 20)
    mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


def hide_missing_gpus() -> None:
    """Where there is no GPU, say so in the environment.

    Otherwise each step of each optimizer loads the driver's library anew to look for one (PyTorch
    2.15).
    """
    import torch

    if not torch.cuda.is_available():
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def quiet() -> None:
    """Silence Lightning's advertisements and warnings that do not apply; real warnings go through."""
    for part in ("pytorch", "fabric"):
        logging.getLogger(f"lightning.{part}").setLevel(logging.WARNING)
    # Lightning 2.6 calls a PyTorch function that 2.15 deprecates.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
    # One index fetches a whole batch from memory: workers would only copy it between processes.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    # A machine with CUDA's tools and no GPU is told so by the compiler.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    # What is logged is of all processes already.
    warnings.filterwarnings("ignore", message=".*sync_dist=True.*")
