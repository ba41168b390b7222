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
