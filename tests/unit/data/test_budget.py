"""What several threads hold at the same time stays within a limit."""

from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from time import sleep

import pytest

from reslag_vae.data.budget import Budget


def test_no_more_is_spent_at_a_time_than_there_is_but_by_one_alone() -> None:
    budget, lock = Budget(10), Lock()
    held: list[int] = []
    most: list[tuple[int, int]] = []

    def spend(amount: int) -> None:
        with budget.spent(amount):
            with lock:
                held.append(amount)
                most.append((sum(held), len(held)))
            sleep(0.001)
            with lock:
                held.remove(amount)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(spend, [3, 4, 5, 20, 1, 9, 6] * 8))
    assert all(total <= 10 or count == 1 for total, count in most)
    assert any(count > 1 for _, count in most)
    assert budget.used == 0


def test_an_error_gives_back_what_was_spent() -> None:
    budget = Budget(1)
    with pytest.raises(ValueError, match="wrong"), budget.spent(1):
        raise ValueError("wrong")
    with budget.spent(1):
        assert budget.used == 1
