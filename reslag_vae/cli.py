"""How the scripts run: whatever a user can mend is told in one sentence, without a stack of calls."""

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra.errors import (
    CompactHydraException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf.errors import OmegaConfBaseException

from reslag_vae import options
from reslag_vae._runtime import terminal
from reslag_vae._runtime.errors import UserError, closed_doors, first_line
from reslag_vae._runtime.signals import interruptible
from reslag_vae.options.suggestions import nearest
from reslag_vae.training import job_folder
from reslag_vae.training.job import job_name

CONFIGURATION = Path(__file__).parents[1] / "conf"
FULL_ERROR = "HYDRA_FULL_ERROR"

# How Hydra says that an argument sets what is not there.
OF_HYDRA = ("Config group override must be", "flag can only be used in conjunction")
NOT_THERE = ("Could not override", "Error merging override", "Config group override must be")


def run(main: Callable[[], object]) -> None:
    """Run a script's function for Hydra to its end.

    Raises:
        SystemExit: with 1, after the message, where a user can mend what is wrong.
    """
    terminal.prepare()
    with interruptible():  # a sweep's launcher, too
        if FULL_ERROR in os.environ:  # the user wants to see stacks of calls
            main()
            return
        try:
            with own_errors(), closed_doors():
                main()
        except (
            UserError,
            HydraException,
            OmegaConfBaseException,
            ValueError,
            FileNotFoundError,
        ) as error:
            known = isinstance(error, UserError | HydraException | OmegaConfBaseException)
            if isinstance(error, FileNotFoundError) and not is_removed():
                raise
            if (
                isinstance(error, ValueError)
                and not known
                and not any(words in str(error) for words in OF_HYDRA)
            ):
                raise
            job_folder.discard_sweep()
            said = (
                "The working directory was removed."
                if is_removed()
                else sentence(error, sys.argv[1:])
            )
            print(terminal.printable(said), file=sys.stderr)
            raise SystemExit(1) from None


@contextmanager
def own_errors() -> Iterator[None]:
    """Within the context Hydra raises what it would print."""
    os.environ[FULL_ERROR] = "1"
    try:
        yield
    finally:
        os.environ.pop(FULL_ERROR, None)


def is_removed() -> bool:
    """Whether the working directory is no longer there."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def told(message: str) -> Exception | SystemExit:
    """What ends a job with a message: the whole program, or one of the jobs of a multirun."""
    name = job_name()
    if name:
        return CompactHydraException(f"{name}{message}")
    print(terminal.printable(message), file=sys.stderr)
    return SystemExit(1)


def sentence(error: Exception, arguments: Sequence[str]) -> str:
    """What is wrong, and with which of the command's arguments.

    Args:
        error: of ours, of Hydra's or of OmegaConf's.
        arguments: of the command.
    """
    if (
        isinstance(error, UserError) or type(error) is CompactHydraException
    ):  # what the scripts have raised
        return str(error)
    if isinstance(error, MissingConfigException):
        return missing_file(error)
    if isinstance(error, OverrideParseException):
        return grammar(error)
    text = " ".join(str(error).split()) or type(error).__name__
    if any(words in text for words in NOT_THERE):
        wrong = re.search(r"override '?([^\s'=]+)", text)
        if wrong and wrong[1].startswith("hydra."):
            return f"{wrong[1]}: Hydra does not take this value, or has no such option."
        unknown = f"{wrong[1]}: there is no such option{did_you_mean(wrong[1])}." if wrong else text
        return wrong_argument(arguments) or unknown
    if "Ambiguous value" in text:
        # Hydra says so too where an experiment that runs many jobs cannot be composed for another
        # reason.
        argument = re.search(r"argument '(.*?)'", text)
        several = argument[1] if argument else text
        if several.startswith("run=") and is_evaluation():
            return f"{several}: several runs are a list: run=[{several.partition('=')[2]}]."
        return wrong_argument(arguments) or f"{several}: add -m to run one job for each value."
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        return f"{error.full_key}: {first_line(error)}"
    return text


def missing_file(error: MissingConfigException) -> str:
    """Of a choice that a group of the configuration does not have."""
    group, _, choice = str(error.missing_cfg_file or "").rpartition("/")
    if not group:
        return f"--config-name={choice}: there is no such file in {CONFIGURATION}."
    choices = sorted(error.options or [])
    near = nearest(choice, choices)
    meant = f"; did you mean {group}={near}" if near else ""
    return f"{group}={choice}: there is no such choice{meant}. There are {', '.join(choices)}."


def wrong_argument(arguments: Sequence[str]) -> str | None:
    """What is wrong with the first argument that sets what is not there; None if all do."""
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or name.startswith(("-", "+", "~", "hydra")):
            continue
        name = name.partition("@")[0]
        if (
            is_evaluation()
            and name not in options.EVALUATE
            and (is_group(name) or name in options.TRAIN)
        ):
            return f"{argument}: is an option of train.py, not of evaluate.py."
        if is_group(name):
            if value == "null":
                none = "; write logger=none" if name == "logger" else ""
                return f"{name}=null: is not a choice of {name}{none}."
            continue
        if name in options.TRAIN or name in options.EVALUATE:
            continue
        own = name.removeprefix("trainer.")
        if name.startswith("trainer.") and own in options.TRAINER:
            return f"{argument}: is not set by default: write +{argument}."
        if name.startswith("trainer.") and own in options.REFUSED:
            return f"{argument}: {options.REFUSED[own][1]}."
        return f"{argument}: there is no such option{did_you_mean(name)}."
    return None


def did_you_mean(name: str) -> str:
    """The nearest option or group."""
    groups = [path.name for path in CONFIGURATION.iterdir() if path.is_dir()]
    return options.did_you_mean(
        name, (*groups, *options.TRAIN, *(f"trainer.{own}" for own in options.TRAINER))
    )


def is_evaluation() -> bool:
    """Whether this is evaluate.py."""
    return Path(sys.argv[0]).name == "evaluate.py"


def is_group(name: str) -> bool:
    """Whether a name is that of a group of the configuration."""
    return re.fullmatch(r"[a-z_]+(/[a-z_]+)*", name) is not None and (CONFIGURATION / name).is_dir()


def grammar(error: OverrideParseException) -> str:
    """Of an argument that Hydra cannot read."""
    return (
        f"{error.override}: cannot be read. Arguments are name=value; a value with spaces, commas, brackets or other "
        "letters than a-z is quoted twice: \"data.folder='/p/Photos (1)'\"."
    )
