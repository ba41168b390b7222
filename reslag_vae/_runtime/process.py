"""Settings of the C library and the environment that make networks faster on the CPU."""

import ctypes
import gc
import logging
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Constants of <malloc.h>.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3

# Variables of OpenMP and of GNU's library for it: how long an idle thread spins before it sleeps.
# `benchmarks/results/busy` has what others cost, alone and beside a second training.
BRIEF = {"GOMP_SPINCOUNT": "3000"}
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
# Where Linux says how many threads run or wait for a core, as in `0.50 0.42 0.40 3/512 4711`.
LOAD = Path("/proc/loadavg")


def peak_memory() -> int:
    """Return the most main memory, in bytes, that this process has held, mapped files included."""
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def wait_briefly_in_a_crowd() -> None:
    """Have idle threads sleep soon where others want the cores, unless the user has set it.

    Results stay bitwise the same. By default idle threads spin for milliseconds, which is the
    fastest where each has a core: on some processors waking them several times a step takes a
    fifth of its time. Where other processes want the cores, threads that spin keep those of their
    own step from working, many times as long. Call this before PyTorch is loaded, which reads the
    environment only then; child processes inherit the setting.
    """
    if not any(name in os.environ for name in WAITING) and is_crowded():
        os.environ.update(BRIEF)


def is_crowded() -> bool:
    """Return whether there are fewer cores than threads of ours and those at work beside us."""
    if not LOAD.exists():
        return False  # no Linux, and no GNU library
    asked = os.environ.get("OMP_NUM_THREADS", "")
    threads = int(asked) if asked.isdecimal() else len(os.sched_getaffinity(0))
    return threads + running_beside() > (os.cpu_count() or 1)


def running_beside() -> int:
    """Return how many threads of other processes run or wait for a core, on Linux.

    It is the median of five looks within 20 ms, for there is always some short work.
    """
    looks = []
    for number in range(5):
        time.sleep(0.005 if number else 0)
        running = LOAD.read_text().split()[3].partition("/")[0]
        looks.append(int(running) - 1)  # but for this one
    return statistics.median_low(looks)


def tune() -> None:
    """Make networks on the CPU faster; results stay bitwise the same.

    One call for each process is enough.
    """
    keep_freed_memory()
    hide_missing_gpus()


def keep_freed_memory() -> None:
    """Have the C library keep the memory of freed tensors for the next ones.

    By default glibc returns large blocks to the system at once and asks for them again a moment
    later, and the system clears each page anew: thousands of page faults a step, a fifth of its
    time. With other C libraries this function does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return
    # Older versions of glibc refuse more than 32 MiB.
    if not mallopt(M_MMAP_THRESHOLD, 1 << 30):
        mallopt(M_MMAP_THRESHOLD, 32 << 20)
    mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


def hide_missing_gpus() -> None:
    """Set CUDA_VISIBLE_DEVICES to nothing on a machine without a GPU.

    Without this, each step of each optimizer reloads the driver's library to look for a GPU
    (PyTorch 2.15).
    """
    import torch

    if not torch.cuda.is_available():
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def allow_rounded_products(allowed: bool) -> None:
    """Choose whether a GPU may round the factors of float32 products to 10 bits (TF32).

    By default PyTorch does so in convolutions alone. Training does in all products, since noise and
    minibatches move it far more; what is measured of a finished run, and evaluation, in none.
    """
    import torch

    torch.set_float32_matmul_precision("high" if allowed else "highest")
    torch.backends.cudnn.allow_tf32 = allowed


@contextmanager
def kept_products() -> Iterator[None]:
    """Have products rounded after the context as before it, whatever is chosen within."""
    restore = restoring_products()
    try:
        yield
    finally:
        restore()


def restoring_products() -> Callable[[], None]:
    """Return a function that has products rounded again as they are now."""
    import torch

    backends = torch.backends
    try:
        precision, rounded = torch.get_float32_matmul_precision(), backends.cudnn.allow_tf32
    except RuntimeError:  # chosen by PyTorch's newer switches, beside which it reads no older ones
        cudnn: Any = backends.cudnn  # which types know without them
        newer = (backends.cuda.matmul, cudnn.conv, cudnn.rnn)
        chosen = [own.fp32_precision for own in newer]

        def restore() -> None:
            for own, value in zip(newer, chosen, strict=True):
                own.fp32_precision = value
    else:

        def restore() -> None:
            torch.set_float32_matmul_precision(precision)
            backends.cudnn.allow_tf32 = rounded

    return restore


@contextmanager
def exact_products() -> Iterator[None]:
    """Let a GPU round no factor of a product within the context, in which results are measured."""
    with kept_products():
        allow_rounded_products(False)
        yield


def free_device_memory() -> None:
    """Give back the GPU's memory of what is no longer used, before the next run of this process."""
    import torch

    if torch.cuda.is_available():
        gc.collect()  # trainer, model and data refer to each other in circles
        torch.cuda.empty_cache()


def quiet() -> None:
    """Silence Lightning's advertisements and the warnings that do not apply here.

    Other warnings are shown.
    """
    for part in ("pytorch", "fabric"):
        logging.getLogger(f"lightning.{part}").setLevel(logging.WARNING)
    # A profile that is asked for is no advertisement.
    logging.getLogger("lightning.pytorch.profilers").setLevel(logging.INFO)
    # Lightning 2.6 calls a PyTorch function that 2.15 deprecates.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
    # One index fetches a whole batch from memory: workers would only copy it between processes.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    # A machine with CUDA's tools and no GPU is told so by the compiler.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    # In a second stage all but the prior stands still.
    warnings.filterwarnings("ignore", message=r".*module\(s\) in eval mode.*")
    # Without widgets a notebook has no progress bar, and the epochs' lines all the same.
    warnings.filterwarnings("ignore", message='.*install "ipywidgets".*')
    # It was asked for, or is Apple's, which is not used.
    warnings.filterwarnings("ignore", message=".*GPU available but not used.*")
    # The steps before a CUDA graph are made by the optimizers that it is taken of.
    warnings.filterwarnings("ignore", message=".*capturable=True.*")
    # What is logged is of all processes already.
    warnings.filterwarnings("ignore", message=".*sync_dist=True.*")
