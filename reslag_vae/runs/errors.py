"""The error for a run's folder that lacks something or holds something wrong."""

from reslag_vae._runtime.errors import UserError


class RunError(UserError, RuntimeError):
    """A run's folder that lacks something or holds something wrong; the message names the file."""
