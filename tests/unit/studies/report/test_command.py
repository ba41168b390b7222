"""The command."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reslag_vae.studies.report.command import main
from reslag_vae.studies.report.contents import contents_of
from reslag_vae.studies.report.spreadsheet import as_csv
from reslag_vae.studies.report.text import as_markdown

MakeRun = Callable[..., Path]

EXPERIMENTS = Path(__file__).parents[4] / "experiments"


def test_the_report_can_go_elsewhere(
    make_run: MakeRun,
    study: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_run("mnist/vae/seed_0", model="vae", objective="elbo")
    monkeypatch.setattr(sys, "argv", ["report", str(study), "--out", str(tmp_path / "out")])
    main()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "report.csv",
        "report.html",
        "report.md",
    ]
    assert capsys.readouterr().out.split() == [
        str(tmp_path / f"out/report.{kind}") for kind in ("html", "md", "csv")
    ]
    assert [path.name for path in study.iterdir()] == ["results"]


def test_a_folder_that_is_no_study_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["report", str(tmp_path / "nothing")])
    with pytest.raises(SystemExit) as error:
        main()
    assert error.value.code == 1
    assert "nothing has no finished run" in capsys.readouterr().err
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    "study",
    [
        pytest.param(path.parent, marks=[pytest.mark.slow] * (path.parent.name == "table1"))
        for path in sorted(EXPERIMENTS.glob("*/report.md"))
    ],
    ids=lambda study: study.name,
)
def test_a_committed_report_is_that_of_the_committed_runs(study: Path) -> None:
    contents = contents_of(study)
    assert as_markdown(contents) == (study / "report.md").read_text()
    rows = {chapter.data: chapter.rows for chapter in contents.chapters}
    assert as_csv(rows) == (study / "report.csv").read_text()
