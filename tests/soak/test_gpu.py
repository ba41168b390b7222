"""`make gpu`, dry, on the CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import ROOT


@pytest.mark.slow
def test_every_part_of_a_dry_run_passes(tmp_path: Path) -> None:
    # Its processes are not tests: what they warn of is no error.
    variables = {key: own for key, own in os.environ.items() if key != "PYTHONWARNINGS"}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", "--dry-run", "--out", str(tmp_path)],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary = (tmp_path / "summary.md").read_text()
    assert summary.count("| passed |") == 7
    rows = json.loads((tmp_path / "steps.json").read_text())
    assert all(row["step"] > 0 for row in rows)
    for name in ("metrics.json", "evaluation.json", "metrics.csv", "logs.zip", "profile_eager.txt"):
        assert (tmp_path / name).stat().st_size > 0
