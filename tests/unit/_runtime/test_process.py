"""Settings of the process, seen in a process of their own."""

import os
import subprocess
import sys
import weakref
from pathlib import Path

import joblib
import pytest
import torch
from joblib.externals.loky import get_reusable_executor

from reslag_vae._runtime import process

ROOT = Path(__file__).parents[3]
# Of 40 MB each: the memory of smaller ones glibc sometimes keeps by itself.
FAULTS = """
import resource, torch
from reslag_vae._runtime import process
{setting}
torch.set_num_threads(1)
for _ in range(10):
    [torch.ones(10_000_000) for _ in range(2)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    [torch.ones(10_000_000) for _ in range(2)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(setting: str) -> int:
    """Of 40 tensors of 40 MB, made and freed two at a time."""
    command = [sys.executable, "-c", FAULTS.format(setting=setting)]
    return int(subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only glibc's allocator is set")
def test_freed_memory_is_used_again_without_asking_the_system() -> None:
    pages = 40 * 40_000_000 / 4096
    assert page_faults("pass") > pages / 2
    # A small block that lies in the way now and then makes the memory grow by one tensor more.
    assert page_faults("process.tune()") < pages / 4


@pytest.mark.parametrize("available", [False, True])
def test_a_gpu_is_hidden_only_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, available: bool
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    process.hide_missing_gpus()
    assert process.os.environ["CUDA_VISIBLE_DEVICES"] == ("0" if available else "")


def test_products_are_exact_for_a_while() -> None:
    def rounded() -> tuple[str, bool]:
        return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32

    before = rounded()
    try:
        for allowed, now in ((True, ("high", True)), (False, ("highest", False))):
            process.allow_rounded_products(allowed)
            assert rounded() == now
            with process.exact_products():
                assert rounded() == ("highest", False)
            assert rounded() == now
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def test_products_are_kept_that_were_chosen_by_the_newer_switches() -> None:
    """PyTorch reads none of its older switches then; a process of its own cannot mix them."""
    command = (
        "import torch; from reslag_vae._runtime.process import exact_products; "
        "matmul = torch.backends.cuda.matmul; matmul.fp32_precision = 'tf32'\n"
        "with exact_products(): inside = torch.get_float32_matmul_precision()\n"
        "print(inside, matmul.fp32_precision)"
    )
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert done.stdout == "highest tf32\n", done.stderr


def test_memory_of_a_gpu_is_given_back_before_the_next_run(monkeypatch: pytest.MonkeyPatch) -> None:
    class Circle:
        """As a trainer and its model, which have each other."""

        def __init__(self) -> None:
            self.own = self

    left = weakref.ref(Circle())
    given_back: list[bool] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(left() is None))
    process.free_device_memory()
    assert given_back == [True]


def test_peak_memory_is_in_bytes_and_never_falls() -> None:
    before = process.peak_memory()
    assert 50e6 < before < 1e12
    block = torch.ones(100_000_000, dtype=torch.uint8)
    during = process.peak_memory()
    del block
    assert process.peak_memory() >= during >= before


@pytest.mark.parametrize(
    ("before", "beside", "brief"),
    [
        ({}, 0, False),
        ({}, 1, True),
        ({"OMP_NUM_THREADS": "3"}, 1, False),
        ({"OMP_NUM_THREADS": "3"}, 2, True),
        ({"OMP_NUM_THREADS": "many"}, 0, False),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, 9, False),
        ({"GOMP_SPINCOUNT": "7"}, 9, False),
    ],
)
def test_threads_sleep_soon_beside_others_unless_the_user_says_otherwise(
    before: dict[str, str], beside: int, brief: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", dict(before))
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.setattr(process, "LOAD", Path(__file__))
    monkeypatch.setattr(process, "running_beside", lambda: beside)
    process.wait_briefly_in_a_crowd()
    assert os.environ == before | (process.BRIEF if brief else {})


def test_where_the_system_says_nothing_there_is_no_crowd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOAD", tmp_path / "loadavg")
    assert not process.is_crowded()


@pytest.mark.skipif(sys.platform != "linux", reason="the system says so on Linux alone")
def test_what_runs_beside_us_is_seen() -> None:
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        assert any(process.running_beside() >= 2 for _ in range(50))
    finally:
        for other in others:
            other.kill()
            other.wait()


POLICY = """
import sys
from reslag_vae._runtime import process
assert "torch" not in sys.modules
process.is_crowded = lambda: True
process.wait_briefly_in_a_crowd()
import torch
torch.ones(10_000_000).sum()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of GNU's OpenMP")
def test_the_policy_is_set_before_pytorch_reads_it() -> None:
    """GNU's library says at its start what it has read."""
    environment = {name: value for name, value in os.environ.items() if name not in process.WAITING}
    command = [sys.executable, "-c", POLICY]
    variables = environment | {"OMP_DISPLAY_ENV": "verbose"}
    said = subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, check=True, text=True
    ).stderr
    assert "GOMP_SPINCOUNT = '3000'" in said


def test_jobs_of_one_launcher_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that joblib's limit of threads, set before PyTorch is loaded, holds in each worker."""
    monkeypatch.delenv("OMP_NUM_THREADS")
    names = ["OMP_NUM_THREADS"] * 2
    threads = joblib.Parallel(n_jobs=2, backend="loky")(
        joblib.delayed(os.getenv)(name) for name in names
    )
    get_reusable_executor().shutdown()
    assert threads == [str(max(1, joblib.cpu_count() // 2))] * 2
