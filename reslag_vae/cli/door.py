"""How commands run: what a user can mend is told in one sentence, without a stack of calls."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from reslag_vae import options
from reslag_vae._runtime import terminal
from reslag_vae._runtime.errors import UserError, closed_doors, printable_lines
from reslag_vae._runtime.invocation import enter, is_help, running
from reslag_vae._runtime.signals import interruptible
from reslag_vae.cli.extras import require
from reslag_vae.cli.help import help_text
from reslag_vae.cli.sentences import sentence
from reslag_vae.training import job_folder

FULL_ERROR = "HYDRA_FULL_ERROR"

# How Hydra says that an argument sets what is not there.
OF_HYDRA = ("Config group override must be", "flag can only be used in conjunction")


def run(main: Callable[[], object], command: str) -> None:
    """Run a command's function for Hydra to its end.

    Args:
        main: the function.
        command: as a user types it, such as "python train.py" or "reslag train".

    Raises:
        SystemExit: with 1, after the message, where a user can mend what is wrong.
    """
    enter(command)
    terminal.prepare()
    sys.argv[1:] = options.renamed(sys.argv[1:])
    with interruptible():  # a sweep's launcher, too
        if FULL_ERROR in os.environ:  # the user wants to see stacks of calls
            answer(main, command)
            return
        try:
            with own_errors(), closed_doors():
                answer(main, command)
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
            print(printable_lines(said), file=sys.stderr)
            raise SystemExit(1) from None


def answer(main: Callable[[], object], command: str) -> None:
    """Print the help where the arguments ask for it; else run the function.

    Raises:
        UserError: the command's extra is not installed.
    """
    name, arguments = running(), sys.argv[1:]
    if is_help(arguments):
        print(help_text(name, arguments))
        return
    require(name, command)
    main()


@contextmanager
def own_errors() -> Iterator[None]:
    """Within the context Hydra raises what it would print, a failed job's error included."""
    printing = JobReturn.__dict__["return_value"]
    os.environ[FULL_ERROR] = "1"
    setattr(JobReturn, "return_value", property(value_of, printing.fset))  # noqa: B010
    try:
        yield
    finally:
        setattr(JobReturn, "return_value", printing)  # noqa: B010
        os.environ.pop(FULL_ERROR, None)


def value_of(job: JobReturn) -> Any:
    """Return what a job of Hydra's has returned, or raise its error."""
    assert job.status is not JobStatus.UNKNOWN, "the job has not ended"
    if job.status is JobStatus.FAILED:
        raise job._return_value
    return job._return_value


def is_removed() -> bool:
    """Whether the working directory is no longer there."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False
