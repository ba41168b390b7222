"""study.json."""

from pathlib import Path

import pytest

from reslag_vae.runs import RunError
from reslag_vae.study.grid import Job
from reslag_vae.study.plan import Plan, Question, add_to_plan, question, read_plan

VAE, LAGGING = Job("mnist/vae/seed_0", ("model=vae", "data=mnist")), Job("mnist/lagging/seed_0", ("model=lagging",))
ASKED = Question("Does it help?", "lagging", "vae", ("mnist",))


def test_a_plan_comes_back(tmp_path: Path) -> None:
    plan = add_to_plan(tmp_path, [VAE], [ASKED])
    assert plan == Plan([VAE], [ASKED])
    assert read_plan(tmp_path) == plan


def test_runs_of_earlier_starts_stay_and_questions_are_the_latest(tmp_path: Path) -> None:
    add_to_plan(tmp_path, [VAE], [ASKED])
    again = VAE._replace(overrides=("model=vae", "data=mnist", "trainer.compile=true"))
    assert add_to_plan(tmp_path, [LAGGING, again], []) == Plan([again, LAGGING], [])


def test_a_question_has_its_parts() -> None:
    assert question({"text": "?", "first": "a", "second": "b"}) == Question("?", "a", "b", None)
    for node in ({"text": "?"}, {"text": "?", "first": "a", "second": "b", "third": "c"}):
        with pytest.raises(ValueError, match="a question of a study has text, first, second and data"):
            question(node)


def test_a_study_that_was_not_started_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"study\.json is not there: no run of this study has been started"):
        read_plan(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"jobs": []}', '{"jobs": [{}], "questions": []}', "null"])
def test_a_damaged_plan_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(RunError, match=r"study\.json is damaged"):
        read_plan(tmp_path)
