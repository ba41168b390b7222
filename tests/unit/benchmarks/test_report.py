"""The files of a benchmark's results."""

import argparse
from pathlib import Path

import pytest

from benchmarks.report import publish


@pytest.mark.parametrize(
    ("folder", "title"), [("memory_intel", "memory_intel"), ("other", "memory: other")]
)
def test_a_table_is_titled_by_its_folder(
    folder: str, title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / folder)
    publish(argparse.Namespace(out=Path(), repetitions=1), "memory", [], {})
    assert Path("table.md").read_text().startswith(f"# Benchmark {title}\n")
