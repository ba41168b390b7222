"""Escapes of user-supplied text, such as class and folder names, for other languages."""

import re


def markdown(text: str) -> str:
    """Return Markdown that shows a text literally in a paragraph, heading, list or table cell.

    White space of any kind becomes one space, because a line break would end a table cell. HTML is
    escaped, so that it is shown and not interpreted.
    """
    line = " ".join(text.split())
    entities = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # An underscore within a word, as in the names of models, marks no emphasis, and parentheses
    # without square brackets make no link.
    return re.sub(r"([\\|*\[\]`~]|^#|(?<![^\W_])_|_(?![^\W_]))", r"\\\1", entities)


def file_name(text: str) -> str:
    """Return a text as part of a file's name: all but letters, digits, `-` and `_` becomes `_`."""
    return re.sub(r"[^\w-]", "_", text)
