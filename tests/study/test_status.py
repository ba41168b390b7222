"""How far a study is, in words."""

from rich.console import Console

from reslag_vae.study.grid import Job
from reslag_vae.study.states import Standing, State
from reslag_vae.study.status import count_of, duration, report, seconds_left, time_left


def job(row: str, data: str = "mnist", seed: int = 0) -> Job:
    return Job(f"{data}/{row}/seed_{seed}", ())


FOUND = {
    job("vae"): Standing(State.FINISHED, 40, 100.0),
    job("vae", seed=1): Standing(State.TO_GO),
    job("lagging"): Standing(State.FINISHED, 40, 300.0),
    job("lagging", seed=1): Standing(State.RUNNING, 10, 80.0),
    job("reslag"): Standing(State.INTERRUPTED, 5, 50.0),
    job("mmd"): Standing(State.FAILED, 3, 9.0, "NaN in [kl]"),
    job("vae", "celeba"): Standing(State.TO_GO),
}


def test_the_time_left_is_that_of_runs_like_it() -> None:
    # vae as the other vae, lagging as the other lagging less what is done, reslag as the mean of its data set's.
    assert seconds_left(FOUND) == (100 + (300 - 80) + (200 - 50), ["celeba"])
    assert time_left(FOUND) == "about 8 min of training left; not counted: celeba, of which no run has finished"


def test_runs_side_by_side_share_the_time() -> None:
    found = FOUND | {job("reslag"): Standing(State.RUNNING, 5, 50.0), job("vae", "celeba"): FOUND[job("vae")]}
    assert time_left(found) == "about 4 min of training left, 2 runs side by side"


def test_nothing_is_left_of_a_finished_study() -> None:
    assert time_left({job("vae"): FOUND[job("vae")], job("mmd"): FOUND[job("mmd")]}) == ""


def test_counts() -> None:
    assert count_of(FOUND) == "2 of 7 runs finished, 1 running, 1 failed, 1 interrupted, 2 to go"
    assert count_of({}) == "0 of 0 runs finished"


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0, 59, 61, 7500)] == ["0 s", "59 s", "1 min", "2 h 05 min"]


def test_the_table_has_a_line_for_each_row_and_every_reason_once() -> None:
    console = Console(width=120, record=True)
    failed = FOUND | {job("mmd", seed=1): FOUND[job("mmd")]}
    console.print(report(failed))
    shown = console.export_text()
    assert "lagging │ finished, running, 10 epochs done" in shown
    assert "interrupted, 5 epochs done" in shown
    assert "failed: NaN in [kl]\n  mnist/mmd/seed_0, mnist/mmd/seed_1" in shown
    assert "2 of 8 runs finished" in shown
