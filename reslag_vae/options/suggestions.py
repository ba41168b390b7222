"""Suggestions for misspelt option names."""

from collections.abc import Iterable
from difflib import get_close_matches

from reslag_vae.options.table import TRAIN, TRAINER


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the known name that is most like a given one, or None if none is like it.

    A name without dots is compared with the last parts of the known names too, so that
    `batch_size` gives `data.batch_size`.
    """
    known = list(dict.fromkeys(names))
    if "." not in name:
        found = get_close_matches(name, [own for own in known if "." not in own], 1, 0.75)
        if found:
            return found[0]
        by_last: dict[str, str] = {}
        for own in known:
            by_last.setdefault(own.rpartition(".")[2], own)
        found = get_close_matches(name, by_last, 1, 0.75)
        if found:
            return by_last[found[0]]
    found = get_close_matches(name, known, 1, 0.75)
    return found[0] if found else None


def did_you_mean(name: str, names: tuple[str, ...] = ()) -> str:
    """Return `; did you mean ...` with the nearest known name, or an empty text if none is near.

    If the name is a known option, which the chosen parts do not have, return that.

    Args:
        name: name that was not found.
        names: known names; empty for all options of training.
    """
    near = nearest(name, names or (*TRAIN, *(f"trainer.{own}" for own in TRAINER)))
    if near == name:
        return " in what was chosen"
    return f"; did you mean {near}" if near else ""
