"""The levels of a hierarchy of latents, one by one: which of them say nothing of an image."""

from collections.abc import Sequence

from torch import Tensor

# A level whose KL is below this many nats says nothing of an image.
SILENT = 0.1


def numbered(name: str, values: Sequence[float]) -> dict[str, float]:
    """Return values of levels by name, `<name>_level_1` for the top; none of a single level."""
    if len(values) < 2:
        return {}
    return {f"{name}_level_{level}": value for level, value in enumerate(values, start=1)}


def verdict_on_levels(rates: Sequence[float], active: Sequence[Tensor]) -> str:
    """Return the end of a verdict, which names the levels that say nothing of an image.

    It is empty if there is none, or but one level.

    Args:
        rates: mean KL of each level in nats, top first.
        active: (d_l,) truth values for each level: which dimensions are active.
    """
    if len(rates) < 2:
        return ""
    found = []
    for level, (rate, units) in enumerate(zip(rates, active, strict=True), start=1):
        if rate < SILENT:
            found.append(f"; level {level} of {len(rates)} COLLAPSED: KL {rate:.2f} nats")
        elif not units.any():
            found.append(f"; level {level} of {len(rates)} COLLAPSED: all {len(units)} units idle")
    return "".join(found)
