"""Hydra's jobs, and how a job ends with an error that a user can mend."""

import sys

from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import OmegaConf

from reslag_vae._runtime.errors import printable_lines
from reslag_vae._runtime.invocation import invocation

# For the help texts of the configuration.
OmegaConf.register_new_resolver("invocation", invocation, replace=True)


def job_name() -> str:
    """Return the name of a multirun's job, to precede an error's message; empty for one run."""
    hydra = HydraConfig.get()
    return f"{hydra.sweep.subdir}: " if hydra.mode == RunMode.MULTIRUN else ""


def job_end(message: str) -> Exception | SystemExit:
    """Return the exception that ends a job with a message.

    It ends the whole program, or only one of the jobs of a multirun.
    """
    name = job_name()
    if name:
        return CompactHydraException(f"{name}{message}")
    print(printable_lines(message), file=sys.stderr)
    return SystemExit(1)
