"""Text of users, such as names of classes and folders, within other languages."""

import re


def markdown(text: str) -> str:
    """Markdown that shows the text as it is, in a paragraph, a heading, a list or a cell of a table.

    White space of any kind is one space: a line that ends would end the cell. HTML is shown, too,
    not obeyed.
    """
    line = " ".join(text.split())
    entities = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # An underscore within a word, as in the names of models, is no emphasis; brackets without []
    # are no link.
    return re.sub(r"([\\|*\[\]`~]|^#|(?<![^\W_])_|_(?![^\W_]))", r"\\\1", entities)
