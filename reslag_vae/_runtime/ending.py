"""How a command ends: in words."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from reslag_vae._runtime.errors import UserError, permission_errors, printable_lines
from reslag_vae._runtime.signals import interruptible


@contextmanager
def ended_in_words() -> Iterator[None]:
    """Carry out a command that is not Hydra's; where it cannot go on, there is no traceback.

    Raises:
        SystemExit: with 1 after the message of a UserError, or of a file that cannot be read or
            written; with 128 plus the signal's number after `Stopped.`
    """
    with interruptible():
        try:
            with permission_errors():
                yield
        except UserError as error:
            print(printable_lines(str(error)), file=sys.stderr)
            raise SystemExit(1) from None
        except KeyboardInterrupt:
            print("Stopped.", file=sys.stderr)
            raise
