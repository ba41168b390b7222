"""Plain sentences that say whether a latent has collapsed."""

from collections.abc import Sequence

from torch import Tensor

from reslag_vae.latents.codes import used_of
from reslag_vae.latents.levels import LEVELS

# Latents, or a level of them, whose KL is below this many nats say nothing of an image.
SILENT = 0.1

# Updates of the decoder before which a latent that is not in use yet is not called collapsed.
FEWEST_UPDATES = 500


def reservation(updates: int) -> str:
    """Return the end of a verdict on a model that has learned little; empty on any other.

    Args:
        updates: number of the decoder's updates.
    """
    return f", after no more than {updates} updates" if updates < FEWEST_UPDATES else ""


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
    silent = {level: rate for level, rate in enumerate(rates, start=1) if rate < SILENT}
    idle = {
        level: len(units)
        for level, units in enumerate(active, start=1)
        if level not in silent and not units.any()
    }
    end = ""
    if silent:
        kl = f"{max(silent.values()):.2f} nats"
        text = f"KL {kl}" if len(silent) == 1 else f"KL at most {kl} each"
        end += f"; {named(list(silent), len(rates))} COLLAPSED: {text}"
    if idle:
        text = f"all {sum(idle.values())} units idle"
        end += f"; {named(list(idle), len(rates))} COLLAPSED: {text}"
    return end


def named(levels: Sequence[int], count: int) -> str:
    """Return numbers of levels in words, such as `levels 1, 3 to 5 of 8`.

    Args:
        levels: numbers of levels in rising order, at least one.
        count: number of all levels.
    """
    runs: list[list[int]] = []
    for level in levels:
        if runs and level == runs[-1][-1] + 1:
            runs[-1].append(level)
        else:
            runs.append([level])
    texts = [f"{own[0]} to {own[-1]}" if len(own) > 1 else f"{own[0]}" for own in runs]
    return f"level{'s' if len(levels) > 1 else ''} {', '.join(texts)} of {count}"
