"""How far a study is, in words."""

from rich.console import Console

from reslag_vae.studies.grid import Job
from reslag_vae.studies.overview import (
    count_of,
    duration,
    print_status,
    reasons,
    seconds_left,
    time_left,
)
from reslag_vae.studies.run_state import RunStatus, State


def job(row: str, data: str = "mnist", seed: int = 0) -> Job:
    return Job(f"{data}/{row}/seed_{seed}", ())


FOUND = {
    job("vae"): RunStatus(State.FINISHED, 40, 40, 100.0),
    job("vae", seed=1): RunStatus(State.TO_GO),
    job("lagging"): RunStatus(State.FINISHED, 40, 40, 300.0),
    job("lagging", seed=1): RunStatus(State.RUNNING, 10, 40, 80.0),
    job("reslag"): RunStatus(State.TO_GO),
    job("mmd"): RunStatus(State.FAILED, 3, 40, 15.0, "NaN in [kl]"),
    job("vae", "celeba"): RunStatus(State.REFUSED, reason="no data"),
}


def test_the_time_left_is_that_of_runs_like_it() -> None:
    # vae as the other vae; lagging as its own quarter says; reslag as the mean of what its data
    # set's runs take in all.
    assert seconds_left(FOUND) == (100 + (320 - 80) + (100 + 300 + 320 + 200) / 4, ["celeba"])
    assert (
        time_left(FOUND)
        == "about 10 min of training left; not counted: celeba, of which no epoch has ended"
    )


def test_runs_side_by_side_share_the_time() -> None:
    found = FOUND | {
        job("reslag"): RunStatus(State.RUNNING, 4, 40, 20.0),
        job("vae", "celeba"): FOUND[job("vae")],
    }
    assert time_left(found) == "about 4 min of training left, 2 runs side by side"


def test_nothing_is_known_before_the_first_epoch() -> None:
    found = {job("vae"): RunStatus(State.RUNNING, 0, 40), job("mmd"): RunStatus(State.TO_GO)}
    assert time_left(found) == "how much time is left is not known before the first epoch has ended"


def test_a_run_that_is_measured_has_no_training_left() -> None:
    found = {job("vae"): RunStatus(State.RUNNING, 40, 40, 100.0)}
    assert time_left(found) == "about 0 s of training left"


def test_nothing_is_left_of_a_finished_study() -> None:
    assert time_left({job("vae"): FOUND[job("vae")], job("mmd"): FOUND[job("mmd")]}) == ""


def test_counts() -> None:
    assert count_of(FOUND) == "2 of 7 runs finished, 1 running, 1 failed, 1 refused, 2 to go"
    assert count_of({}) == "0 of 0 runs finished"


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0, 59, 61, 7500)] == [
        "0 s",
        "59 s",
        "1 min",
        "2 h 05 min",
    ]


def test_the_table_has_a_line_for_each_row_and_every_reason_once() -> None:
    console = Console(width=120, record=True)
    failed = FOUND | {job("mmd", seed=1): FOUND[job("mmd")]}
    print_status(failed, console)
    shown = console.export_text()
    assert "lagging │ seed 0 finished; seed 1 running (10 of 40 epochs)" in shown
    assert "failed: mnist/mmd/seed_0, mnist/mmd/seed_1\nNaN in [kl]" in shown
    assert "refused: celeba/vae/seed_0\nno data" in shown
    assert "2 of 8 runs finished" in shown


def test_reasons_keep_their_lines_and_move_no_cursor() -> None:
    found = {job("vae"): RunStatus(State.FAILED, reason="no data\nPut it there \x1b[2J")}
    (text,) = reasons(found)
    assert text.plain == "failed: mnist/vae/seed_0\nno data\nPut it there \\x1b[2J"
