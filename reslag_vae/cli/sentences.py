"""One-sentence messages for the errors of Hydra and OmegaConf."""

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra._internal.utils import get_args_parser
from hydra.errors import CompactHydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from reslag_vae import options
from reslag_vae._runtime.errors import UserError, first_line
from reslag_vae._runtime.invocation import configuration_folder, invocation, running
from reslag_vae.cli.extras import PLUGINS, install
from reslag_vae.options.suggestions import nearest
from reslag_vae.runs.folder import CONFIG_FILE

# How Hydra says that an argument sets what is not there.
NOT_THERE = ("Could not override", "Error merging override", "Config group override must be")

# How Hydra says that a plus stands before a group of which something is chosen anyway.
CHOSEN_TWICE = (
    "Multiple values for",
    "force-add of config groups",
    "appears more than once in the final defaults list",
)

# Groups whose choices may be of a plugin that is not installed.
PLUGIN_GROUPS = ("hydra/launcher", "hydra/sweeper")


def sentence(error: Exception, arguments: Sequence[str]) -> str:
    """Return a sentence that says what is wrong, and with which argument of the command.

    Args:
        error: an error of this package, of Hydra or of OmegaConf.
        arguments: arguments of the command.
    """
    # Errors that this package has raised itself
    if isinstance(error, UserError) or type(error) is CompactHydraException:
        return str(error)
    if isinstance(error, MissingConfigException):
        return unknown_choice(error, arguments)
    if isinstance(error, OverrideParseException):
        return unreadable_argument(error)
    text = " ".join(str(error).split()) or type(error).__name__
    if any(words in text for words in NOT_THERE):
        wrong = re.search(r"override '?([^\s'=]+)", text)
        if wrong and wrong[1].startswith("hydra."):
            return f"{wrong[1]}: Hydra does not take this value, or has no such option."
        unknown = f"{wrong[1]}: there is no such option{did_you_mean(wrong[1])}." if wrong else text
        named = [own for own in arguments if wrong and own.partition("=")[0] == wrong[1]]
        return wrong_argument(named or arguments) or unknown
    if any(words in text for words in CHOSEN_TWICE):
        return needless_plus(text, arguments) or text
    if "Ambiguous value" in text:
        # Hydra says so too where an experiment that runs many jobs cannot be composed for another
        # reason.
        argument = re.search(r"argument '(.*?)'", text)
        several = argument[1] if argument else text
        name, _, value = several.partition("=")
        if value and Path(value).exists():  # a folder whose name has a comma
            return f"{several}: a value with a comma is quoted twice: \"{name}='{value}'\"."
        if name == "run" and running() == "evaluate":
            return f"{several}: several runs are a list: run=[{value}]."
        if name == "resume":
            return f"{several}: takes one run; each goes on by a command of its own."
        job_each = "add -m to run one job for each value"
        if takes_list(name, value):
            return f"{several}: a list stands in brackets, {name}=[{value}]; or {job_each}."
        return wrong_argument(arguments) or f"{several}: {job_each}."
    absent = re.search(r"Could not delete.* '([^\s']+)' does not exist", text)
    if absent:
        there = options.is_known(absent[1]) or absent[1] in options.EVALUATE
        why = "it has no value" if there else f"there is no such option{did_you_mean(absent[1])}"
        return f"~{absent[1]}: cannot be taken away: {why}."
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        unresolved = re.match(r"Interpolation key '(.*?)' not found", text)
        read = unresolved[1] if unresolved else str(error.full_key)
        return needed(read, arguments) or f"{error.full_key}: {first_line(error)}"
    return text


def needed(name: str, arguments: Sequence[str]) -> str | None:
    """Return the sentence for an argument that takes away what is read; None if none does."""
    for argument in arguments:
        own = argument.removeprefix("~").partition("=")[0]
        if argument.startswith("~") and f"{name}.".startswith(f"{own}."):
            return f"{argument}: {name} cannot be taken away; it can be set."
    return None


def takes_list(name: str, values: str) -> bool:
    """Return whether an option takes some values as a list; `logger` is a group that does.

    Args:
        name: name of the option, or of the group.
        values: the values, with a comma between two.
    """
    listed = [plain_value(value) for value in values.split(",")]
    return name == "logger" or (name in options.TRAIN and options.TRAIN[name].has(listed))


def plain_value(text: str) -> Any:
    """Return the value of a text: a number where it is one."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def needless_plus(text: str, arguments: Sequence[str]) -> str | None:
    """Return the sentence for an argument with a plus that its group does not take; None without.

    Args:
        text: what Hydra says, which names the group.
        arguments: arguments of the command.
    """
    for argument in arguments:
        group = argument.lstrip("+").partition("=")[0]
        if argument.startswith("+") and group in re.split(r"[\s'=+.]+", text):
            return f"{argument}: takes no plus: write {argument.lstrip('+')}."
    return None


def unknown_choice(error: MissingConfigException, arguments: Sequence[str]) -> str:
    """Return the sentence for a choice that a group of the configuration does not have."""
    group, _, choice = str(error.missing_cfg_file or "").rpartition("/")
    elsewhere = get_args_parser().parse_known_args(list(arguments))[0].config_path
    if not group and elsewhere is not None:
        return (
            f"--config-path={elsewhere}: takes the place of {configuration_folder()}, whose files "
            f"it would need; --config-dir={elsewhere} adds choices of your own."
        )
    if not group:
        return f"--config-name={choice}: there is no such file in {configuration_folder()}."
    if group in PLUGIN_GROUPS and choice in PLUGINS:
        return f"{group}={choice} needs: {install(PLUGINS[choice])}"
    choices = sorted(error.options or [])
    near = nearest(choice, choices)
    likely = [f"{own}={choice}" for own in groups_with(choice)] or [f"{group}={near}"] * bool(near)
    meant = f"; did you mean {' or '.join(likely)}" if likely else ""
    return f"{group}={choice}: there is no such choice{meant}. There are {', '.join(choices)}."


def wrong_argument(arguments: Sequence[str]) -> str | None:
    """Return the sentence for the first argument that sets an unknown option; None without one."""
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or name.startswith(("-", "+", "~", "hydra")):
            continue
        name = name.partition("@")[0]
        if (
            running() == "evaluate"
            and name not in options.EVALUATE
            and (is_group(name) or name in options.TRAIN)
        ):
            train, evaluate = command_word("train"), command_word("evaluate")
            return f"{argument}: is an option of {train}, not of {evaluate}."
        if is_group(name):
            if value == "null":
                none = "; write logger=none" if name == "logger" else ""
                return f"{name}=null: is not a choice of {name}{none}."
            continue
        if name in options.EVALUATE or options.is_known(name):
            continue
        own = name.removeprefix("trainer.")
        if name.startswith("trainer.") and own in options.TRAINER:
            return f"{argument}: is not set by default: write +{argument}."
        if name.startswith("trainer.") and own in options.REFUSED:
            return f"{argument}: {options.REFUSED[own][1]}."
        meant = " or ".join(f"{group}={value}" for group in groups_with(value))
        near = f"; did you mean {meant}" if meant else did_you_mean(name)
        return f"{argument}: there is no such option{near}."
    return None


def groups_with(choice: str) -> list[str]:
    """Return the groups that have a choice: `prior` has `flow`."""
    if running() == "evaluate" or not choice.isidentifier() or choice in ("default", "none"):
        return []
    files = configuration_folder().glob(f"*/{choice}.yaml")
    return sorted(path.parent.name for path in files if path.parent.name != "hydra")


def unknown_flag(arguments: Sequence[str]) -> str | None:
    """Return the sentence for the first argument with dashes that Hydra does not have, if any."""
    for flag in get_args_parser().parse_known_args(list(arguments))[1]:
        if flag.startswith("-"):
            name = flag.lstrip("-").partition("=")[0]
            own = running() == "evaluate" and name in options.EVALUATE
            known = own or is_group(name) or options.is_known(name)
            meant = f"; write {name}=VALUE" if known else did_you_mean(name)
            return f"{flag}: options are name=value, without dashes{meant}."
    return None


def several_studies(arguments: Sequence[str]) -> str | None:
    """Return the sentence for an argument that names several experiments; None if none does."""
    for argument in arguments:
        name, _, value = argument.lstrip("+").partition("=")
        if name == "experiment" and "," in value:
            return f"{argument}: each is a study; start them by a command for each."
    return None


def did_you_mean(name: str) -> str:
    """Return `; did you mean ...` with the nearest option or group; empty if none is near."""
    if running() == "evaluate":
        return options.did_you_mean(name, tuple(options.EVALUATE))
    groups = [path.name for path in configuration_folder().iterdir() if path.is_dir()]
    return options.did_you_mean(
        name, (*groups, *options.TRAIN, *(f"trainer.{own}" for own in options.TRAINER))
    )


def is_group(name: str) -> bool:
    """Return whether a name is that of a group of the configuration."""
    return (
        re.fullmatch(r"[a-z_]+(/[a-z_]+)*", name) is not None
        and (configuration_folder() / name).is_dir()
    )


def unreadable_argument(error: OverrideParseException) -> str:
    """Return the sentence for an argument that Hydra cannot read."""
    argument = error.override or ""
    meant = " or ".join(f"{group}={argument}" for group in groups_with(argument))
    if not meant and Path(argument).is_dir():
        meant = folder_option(Path(argument), argument)
    if meant:
        return f"{argument}: arguments are name=value; did you mean {meant}."
    return (
        f"{error.override}: cannot be read. Arguments are name=value; a value with spaces, commas, "
        "brackets or other letters than a-z is quoted twice: \"data.folder='/p/Photos (1)'\"."
    )


def folder_option(folder: Path, argument: str) -> str:
    """Return the words that name a folder to the command: a run, or pictures."""
    if running() == "evaluate":
        return f"run={argument}"
    if (folder / CONFIG_FILE).is_file():
        return f"resume={argument}"
    return f"data=image_folder \"data.folder='{argument}'\""


def command_word(command: str) -> str:
    """Return the name of a command as it stands in a sentence: train.py, or reslag train."""
    return invocation(command).removeprefix("python ")
