"""study.json."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.runs.errors import RunError
from reslag_vae.studies.grid import Job
from reslag_vae.studies.plan import (
    MEASURES,
    Plan,
    Question,
    add_to_plan,
    check_questions,
    parse_question,
    read_plan,
    results_of,
)
from reslag_vae.studies.report import measures

VAE, LAGGING = (
    Job("mnist/vae/seed_0", ("model=vae", "data=mnist")),
    Job("mnist/lagging/seed_0", ("model=lagging",)),
)
ASKED = Question("Does it help?", "lagging", "vae", ("mnist",))


def test_a_plan_comes_back(tmp_path: Path) -> None:
    plan = add_to_plan(tmp_path, [VAE], [ASKED])
    assert plan == Plan([VAE], [ASKED])
    assert read_plan(tmp_path) == plan


def test_runs_of_earlier_starts_stay_and_questions_are_the_latest(tmp_path: Path) -> None:
    add_to_plan(tmp_path, [VAE], [ASKED])
    again = VAE._replace(overrides=("model=vae", "data=mnist", "trainer.compile=true"))
    assert add_to_plan(tmp_path, [LAGGING, again], []) == Plan([again, LAGGING], [])


def test_questions_of_another_experiment_of_the_study_stay(tmp_path: Path) -> None:
    add_to_plan(tmp_path, [VAE], [ASKED])
    later = Question("Does a prior help?", "code_prior", "vae")
    prior = Job("mnist/code_prior/seed_0", ())
    assert add_to_plan(tmp_path, [prior], [later]).questions == [ASKED, later]
    # One run of the first experiment, which has both rows.
    changed = ASKED._replace(text="Does it help much?")
    assert add_to_plan(tmp_path, [VAE], [changed], [LAGGING]).questions == [later, changed]


def test_a_question_has_its_parts() -> None:
    assert parse_question({"text": "?", "first": "a", "second": "b"}) == Question(
        "?", "a", "b", None
    )
    for node in ({"text": "?"}, {"text": "?", "first": "a", "second": "b", "third": "c"}, "text"):
        with pytest.raises(
            ConfigError, match="A question of a study has text, first, second and perhaps data"
        ):
            parse_question(node)  # type: ignore[arg-type]


def test_a_question_names_its_measures() -> None:
    asked = {"text": "?", "first": "a", "second": "b"}
    assert parse_question(asked | {"by": ["elbo"]}).by == ("elbo",)
    for wrong in ({"by": []}, {"by": ["nll"]}, {"by": ["elbo"], "margin": 0.1}):
        with pytest.raises(ConfigError, match="answered by some of elbo, rec, importance"):
            parse_question(asked | wrong)
    for wrong in ({"by": "elbo"}, {"by": 5}, {"data": "mnist"}):
        with pytest.raises(ConfigError, match="is made of texts"):
            parse_question(asked | wrong)
    assert tuple(measures.MEASURES) == MEASURES


def test_a_question_is_about_rows_of_the_study() -> None:
    check_questions([ASKED], [VAE, LAGGING])
    with pytest.raises(ConfigError, match=r"“Does it help\?” is about vae; this study has lagging"):
        check_questions([ASKED], [LAGGING])


def test_starts_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    jobs = [Job(f"mnist/vae/seed_{seed}", ()) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda job: add_to_plan(tmp_path, [job], []), jobs))
    assert set(read_plan(tmp_path).jobs) == set(jobs)


def test_the_results_are_in_the_study_or_are_it(tmp_path: Path) -> None:
    assert results_of(tmp_path) == tmp_path
    (tmp_path / "results").mkdir()
    assert results_of(tmp_path) == tmp_path / "results"


def test_a_study_that_was_not_started_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        RunError, match=r"study\.json is not there: no run of this study has been started"
    ):
        read_plan(tmp_path)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"jobs": []}', '{"jobs": [{}], "questions": []}', "null"]
)
def test_a_damaged_plan_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(RunError, match=r"study\.json is damaged"):
        read_plan(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        '{"jobs": [{"folder": 5, "overrides": []}], "questions": []}',
        '{"jobs": [{"folder": "../x/y", "overrides": []}], "questions": []}',
        '{"jobs": [{"folder": "/a/b", "overrides": []}], "questions": []}',
        '{"jobs": [{"folder": "a/b", "overrides": [1]}], "questions": []}',
        '{"jobs": [{"folder": "a/b", "overrides": "x"}], "questions": []}',
        '{"jobs": [], "questions": [{"text": "t", "first": [1], "second": "b"}]}',
        '{"jobs": [], "questions": [{"text": "t", "first": "a", "second": "b", "data": 3}]}',
        '{"jobs": [], "questions": [{"text": "t", "first": "a", "second": "b", "margin": "x"}]}',
        '{"jobs": 3}',
        "[" * 100_000,
        "{",
    ],
)
def test_a_damaged_plan_is_one_sentence(content: str, tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(RunError, match=r"study\.json is damaged") as error:
        read_plan(tmp_path)
    assert "\n" not in str(error.value)
