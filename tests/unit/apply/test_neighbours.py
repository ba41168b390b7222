"""The nearest neighbours of codes."""

import numpy as np
import pytest

from reslag_vae.apply import neighbours
from reslag_vae.apply.neighbours import nearest


@pytest.mark.parametrize(("rows", "others"), [(256, 8192), (7, 5)])
def test_they_are_those_of_all_distances(
    rows: int, others: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "ROWS", rows)
    monkeypatch.setattr(neighbours, "OTHERS", others)
    codes = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    all_distances = np.linalg.norm(codes[:, None].astype(float) - codes[None], axis=-1)
    np.fill_diagonal(all_distances, np.inf)
    found = nearest(codes, 4)
    assert np.array_equal(found.positions, all_distances.argsort(1)[:, :4])
    assert found.distances == pytest.approx(np.sort(all_distances, 1)[:, :4])


def test_twins_far_from_the_origin_are_at_no_distance() -> None:
    codes = np.full((3, 2), 1e4, dtype=np.float32)
    codes[2] += 1
    found = nearest(codes, 1)
    assert found.positions[:2, 0].tolist() == [1, 0]
    assert found.distances[:2, 0].tolist() == [0, 0]
