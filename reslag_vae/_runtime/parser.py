"""The parser of the commands that Hydra does not compose."""

import argparse
from pathlib import Path
from typing import Any, NoReturn

from reslag_vae._runtime.errors import printable


class Once(argparse._StoreAction):
    """The action of an option of one value, of which a second one would replace the first."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        assert isinstance(parser, Parser)
        if option_string is not None and self.dest in parser.given:
            raise argparse.ArgumentError(self, "is given twice; give it once")
        parser.given.add(self.dest)
        super().__call__(parser, namespace, values, option_string)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, and whose options are written out, each once.

    A prefix of an option would change its meaning as soon as another option begins alike.

    Args:
        settings: what argparse's own parser takes.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)
        self.given: set[str] = set()
        self.register("action", None, Once)
        self.register("action", "store", Once)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse a command line: see argparse."""
        self.given = set()
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Print a message, and exit."""
        self.exit(2, f"{self.prog}: {printable(message)}\n")


def path(text: str) -> Path:
    """Return a path, with `~` replaced by the user's own folder.

    Raises:
        ArgumentTypeError: the user is not there.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise argparse.ArgumentTypeError(f"{text}: there is no such user") from None


def whole(text: str, least: int, most: int) -> int:
    """Return a whole number between two bounds.

    Raises:
        ArgumentTypeError: the text is none.
    """
    if not text.isascii() or not text.isdigit() or not least <= int(text[:20]) <= most:
        raise argparse.ArgumentTypeError(f"{text}: a whole number from {least} to {most} is wanted")
    return int(text)
