"""The parser of the commands that Hydra does not compose."""

import argparse
from typing import Any, NoReturn

from reslag_vae._runtime.errors import printable


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, and whose options are written out.

    A prefix of an option would change its meaning as soon as another option begins alike.

    Args:
        settings: what argparse's own parser takes.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Print a message, and exit."""
        self.exit(2, f"{self.prog}: {printable(message)}\n")
