"""Which settings of two runs differ."""

from reslag_vae.runs.differences import differences, material_differences


def test_differences_are_named_by_their_paths() -> None:
    first, second = {"a": {"b": 1, "c": [1, 2]}, "d": 1}, {"a": {"b": 2, "c": [1, 2]}, "e": None}
    assert list(differences(first, second)) == [("a.b", 1, 2), ("d", 1, None)]


def test_only_what_a_result_depends_on_is_material() -> None:
    first = {
        "data": {"root": "/a", "rooted": 1},
        "callbacks": {"images": {"every": 1}, "seed": None},
        "study": "x",
    }
    second = {
        "data": {"root": "/b", "rooted": 2},
        "callbacks": {"images": None, "seed": 1},
        "study": None,
    }
    assert material_differences(first, second) == [
        ("data.rooted", 1, 2),
        ("callbacks.seed", None, 1),
    ]


def test_a_recipe_is_material_where_it_is_used() -> None:
    def run(epochs: int, schedule: dict[str, int]) -> dict[str, dict[str, int]]:
        return {"recipe": {"aggressive_epochs": epochs}, "schedule": schedule}

    # A joint run, which was begun when the length of a run did not shorten the phase.
    assert not material_differences(run(5, {}), run(2, {}))
    assert not material_differences(run(5, {"epochs": 1}), run(2, {"epochs": 1}))
    assert material_differences(run(5, {"epochs": 5}), run(2, {"epochs": 2})) == [
        ("recipe.aggressive_epochs", 5, 2),
        ("schedule.epochs", 5, 2),
    ]
