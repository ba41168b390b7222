"""The check that a run reads what the command line sets."""

from collections.abc import Iterator, Sequence

from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from reslag_vae import options
from reslag_vae._runtime.errors import ConfigError

# Groups whose nodes stand beside the model's, which refers to those that it is made of
PARTS = ("network", "posterior", "prior", "likelihood", "condition", "schedule", "optimizer")
REFERRED_TO = (*PARTS, "objective", "recipe")

# A condition that a model does not take is refused with the models that do: `options.condition`.
TOLD_ELSEWHERE = ("condition",)

# Options that nothing reads beside a value of another one
UNREAD_BESIDE = {
    "schedule.patience": ("schedule.until", "epochs"),
    "schedule.batches": ("schedule.ratio", "adaptive"),
}

MARK = "set by the check that a run reads what the command line sets"


def refuse_unread(config: DictConfig, overrides: Sequence[str], model: str | None) -> None:
    """Refuse overrides of the command line that change nothing.

    Raises:
        ConfigError: see `unread`; the message is that of the first.
    """
    for sentence in unread(config, overrides, model):
        raise ConfigError(sentence)


def unread(config: DictConfig, overrides: Sequence[str], model: str | None) -> Iterator[str]:
    """Yield a sentence for each override of a part that the model has not, or of an unused option.

    `network=linear` changes nothing of a model without a network, `recipe.beta=4` nothing under an
    objective that has no such weight. What is no option at all is not told here.

    Args:
        config: configuration that Hydra has composed, with its references.
        overrides: overrides of the command line.
        model: choice of `model=`; None for a model that was made by hand.
    """
    for own in overrides:
        name = name_of(own)
        group = name.partition(".")[0]
        if group not in REFERRED_TO or group in TOLD_ELSEWHERE or not options.is_known(name):
            continue
        beside, value = UNREAD_BESIDE.get(name, (None, None))
        if beside is not None and OmegaConf.select(config, beside) == value:
            why = f"{beside}={value} does not read it; leave it out"
        elif is_read(config, name):
            continue
        elif model is None:
            why = "the model was made by hand; leave it out"
        elif group != "recipe":
            why = f"model={model} takes no {group}; leave it out"
        else:
            why = "nothing of this run reads it"
        yield f"{own}: has no effect, since {why}."


def name_of(override: str) -> str:
    """Return the name of what an override sets: `network` of `+network@x=linear`."""
    return override.lstrip("+~").partition("=")[0].partition("@")[0]


def is_read(config: DictConfig, name: str) -> bool:
    """Return whether what a run is built from holds the value of an option, or depends on it.

    Args:
        config: composed configuration, with its references.
        name: the option, or the group.
    """
    if name.startswith("recipe.") and name.endswith("updates"):
        return is_counted_by(config, name)
    marked = config.copy()
    with open_dict(marked):
        OmegaConf.update(marked, name, MARK, merge=False, force_add=True)
    try:
        for node in marked:
            if node not in REFERRED_TO and OmegaConf.is_config(marked[node]):
                OmegaConf.resolve(marked[node])
    except (OmegaConfBaseException, ValueError, TypeError):
        return True  # something cannot do with the mark, or not be resolved at all
    return any(MARK in str(own) for node, own in marked.items() if node not in REFERRED_TO)


def is_counted_by(config: DictConfig, name: str) -> bool:
    """Return whether the length of a run is computed of its number of updates.

    It is once the data are read, unless it is set in epochs; see `options.length`.

    Args:
        config: composed configuration.
        name: `recipe.updates` or `recipe.aggressive_updates`.
    """
    if "passes" not in config.data:
        return False
    phase = OmegaConf.select(config, "recipe.aggressive_epochs")
    of_phase = phase is None and is_read(config, "recipe.aggressive_epochs")
    if name == "recipe.aggressive_updates":
        return of_phase
    share = of_phase and OmegaConf.select(config, "recipe.aggressive_updates") is not None
    return share or OmegaConf.select(config, "trainer.max_epochs") is None
