"""Each file of a run's folder has its name in one place."""

import ast
from pathlib import Path

import pytest

from reslag_vae.apply.request import REPORT
from reslag_vae.data import own_folders
from reslag_vae.runs import folder

PACKAGE = Path(__file__).parents[3] / "reslag_vae"
FILES = sorted(PACKAGE.rglob("*.py"))
ELSEWHERE = {"runs/folder.py", "data/own_folders.py"}
NAMES = {
    folder.CONFIG_FILE,
    folder.IDENTITY_FILE,
    folder.METRICS_CSV,
    folder.STEPS_CSV,
    folder.RESULT_FILE,
    folder.PER_IMAGE_FILE,
    folder.EVALUATION_FILE,
    folder.FAILURE_FILE,
    folder.LOG_FILE,
    folder.ID_FILE,
    folder.STEP_FILE,
    folder.WEIGHTS_FILE,
    folder.MODEL_FILE,
    *folder.TRAVELLING,
    folder.SAMPLERS_FILE,
}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_of_a_run_is_named_in_one_module(path: Path) -> None:
    nodes = ast.walk(ast.parse(path.read_text()))
    strings = {str(node.value) for node in nodes if isinstance(node, ast.Constant)}
    assert not strings & NAMES or name_of(path) in ELSEWHERE


def test_pictures_are_not_looked_for_in_folders_of_runs_by_the_same_names() -> None:
    names = set().union(*own_folders.OWN_FOLDERS)
    own = {folder.CHECKPOINTS, folder.FIGURES}
    assert names - {"comparison.md", "study.json", REPORT} <= NAMES | own
    assert REPORT in names
    assert own | {folder.DASHBOARD} == own_folders.RUN_FOLDERS
