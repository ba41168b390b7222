"""Hydra's jobs, and how they end where a user can mend what is wrong."""

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
    """Return, in a multirun, which job it is, to stand before an error's message."""
    hydra = HydraConfig.get()
    return f"{hydra.sweep.subdir}: " if hydra.mode == RunMode.MULTIRUN else ""


def told(message: str) -> Exception | SystemExit:
    """Return what ends a job with a message: the whole program, or one of the jobs of a multirun."""
    name = job_name()
    if name:
        return CompactHydraException(f"{name}{message}")
    print(printable_lines(message), file=sys.stderr)
    return SystemExit(1)
