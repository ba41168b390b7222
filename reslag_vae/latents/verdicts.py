"""Plain sentences that say whether a latent has collapsed."""

from collections.abc import Sequence

from torch import Tensor

from reslag_vae.latents.codes import used_of
from reslag_vae.latents.levels import LEVELS

# A level whose KL is below this many nats says nothing of an image.
SILENT = 0.1


def verdicts_on_codes(usage: Sequence[Tensor], varying: Sequence[bool]) -> list[str]:
    """Return a plain sentence for each level that says whether discrete latents have collapsed.

    Args:
        usage: (K_l,) uses of each code of each level, top first.
        varying: whether the codes of each level differ between images.
    """
    levels = zip(usage, varying, strict=True)
    verdicts = [verdict_on_level(own, varies) for own, varies in levels]
    if len(verdicts) == 1:
        return verdicts
    return [f"{level}: {own}" for level, own in zip(LEVELS, verdicts, strict=True)]


def verdict_on_level(usage: Tensor, varies: bool) -> str:
    """Return a plain sentence that says whether one level of discrete latents has collapsed.

    Args:
        usage: (K,) uses of each code.
        varies: whether the codes differ between images.
    """
    (used, perplexity), codes = used_of(usage), len(usage)
    numbers = f"{used} of {codes} codes used, perplexity {perplexity:.1f}"
    if not varies:
        numbers = f"{numbers}, the same for every image"
    # Codes may differ between positions alone.
    silent = 0 if varies else codes
    return verdict_on(used, codes, silent, ("the codes are", "the codes dead"), numbers)


def verdict_on(used: int, count: int, silent: int, words: tuple[str, str], numbers: str) -> str:
    """Return a plain sentence that says whether a latent has collapsed.

    Args:
        used: number of units or codes in use.
        count: number of all of them.
        silent: number in use that says nothing of the image.
        words: of what half is used, and what the others are.
        numbers: what the sentence rests on.
    """
    whole, others = words
    if used <= silent:
        return f"COLLAPSED: the code says nothing of the image ({numbers})"
    if used <= count // 2:
        return f"partly collapsed: at most half of {whole} used ({numbers})"
    if used < count:
        return f"no collapse, but {count - used} of {others} ({numbers})"
    return f"no collapse ({numbers})"


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
