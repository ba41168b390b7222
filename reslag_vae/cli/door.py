"""The entry of every command: errors that a user can mend are shown without a traceback."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra._internal.utils import get_args_parser
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from reslag_vae import options
from reslag_vae._runtime import ranks, terminal
from reslag_vae._runtime.errors import UserError, permission_errors, printable_lines
from reslag_vae._runtime.invocation import enter, is_help, running
from reslag_vae._runtime.signals import interruptible
from reslag_vae.cli.extras import require
from reslag_vae.cli.help import help_text
from reslag_vae.cli.sentences import sentence, several_studies, unknown_flag
from reslag_vae.training import job_folder

FULL_ERROR = "HYDRA_FULL_ERROR"

# What Hydra says of an argument by a ValueError: of a group that is not there, and of a flag.
OF_HYDRA = ("Config group override must be", "flag can only be used in conjunction")


def run(main: Callable[[], object], command: str) -> None:
    """Run the function of a command whose configuration Hydra composes.

    Args:
        main: the function.
        command: the command as a user types it, such as "python train.py" or "reslag train".

    Raises:
        SystemExit: with 1, after an error that a user can mend and its message.
    """
    enter(command)
    terminal.prepare()
    sys.argv[1:] = flags_last(options.renamed(sys.argv[1:]))
    with interruptible():  # a sweep's launcher, too
        if FULL_ERROR in os.environ:  # the user wants to see stacks of calls
            help_or_run(main, command)
            return
        try:
            with hydra_errors_raised(), permission_errors():
                help_or_run(main, command)
        except (
            UserError,
            HydraException,
            OmegaConfBaseException,
            ValueError,
            FileNotFoundError,
        ) as error:
            known = isinstance(error, UserError | HydraException | OmegaConfBaseException)
            if isinstance(error, FileNotFoundError) and not is_working_directory_gone():
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
                if is_working_directory_gone()
                else sentence(error, sys.argv[1:])
            )
            print(printable_lines(said), file=sys.stderr)
            raise SystemExit(1) from None


def flags_last(arguments: Sequence[str]) -> list[str]:
    """Return arguments with their flags behind the others where flags stand between these.

    Hydra's parser takes `model=vae seed=1,2 -m` and `-m model=vae seed=1,2`, and refuses
    `model=vae -m seed=1,2`.
    """
    given, rest = get_args_parser().parse_known_args(list(arguments))
    flags = list(arguments)
    if not rest or any(own.startswith("-") for own in rest):
        return flags
    others = [*given.overrides, *rest]
    for own in others:
        flags.remove(own)
    return [*others, *flags]


def help_or_run(main: Callable[[], object], command: str) -> None:
    """Print the help if the arguments ask for it; else run the function.

    Raises:
        UserError: an argument has dashes that Hydra does not know, or names several experiments,
            the command's extra is not installed, or the environment has ranks that are none.
    """
    ranks.forget_others()
    name, arguments = running(), sys.argv[1:]
    if is_help(arguments):
        print(help_text(name, arguments))
        return
    wrong = unknown_flag(arguments) or several_studies(arguments)
    if wrong is not None:
        raise UserError(wrong)
    require(name, command)
    main()


@contextmanager
def hydra_errors_raised() -> Iterator[None]:
    """Have Hydra raise its errors within the context, those of a failed job included.

    It would otherwise print them.
    """
    # Hydra has no switch for it: this property prints before it raises.
    printing = JobReturn.__dict__["return_value"]
    os.environ[FULL_ERROR] = "1"
    replace_return_value(property(value_of, printing.fset))
    try:
        yield
    finally:
        replace_return_value(printing)
        os.environ.pop(FULL_ERROR, None)


def replace_return_value(replacement: property) -> None:
    """Give Hydra's class of a job's result another property `return_value`."""
    setattr(JobReturn, "return_value", replacement)  # noqa: B010  # mypy takes `=` for its setter


def value_of(job: JobReturn) -> Any:
    """Return what a job of Hydra's has returned, or raise its error."""
    assert job.status is not JobStatus.UNKNOWN, "the job has not ended"
    if job.status is JobStatus.FAILED:
        raise job._return_value
    return job._return_value


def is_working_directory_gone() -> bool:
    """Return whether the working directory no longer exists."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False
