"""Equations become MathML when the site is built: no script and no request of the reader's."""

import re
from html import unescape
from typing import Any

from latex2mathml.converter import convert

INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
BLOCK = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.DOTALL)

# An identifier of several letters has no space around it, as TeX gives functions.
LOGARITHM = "<mi>ln</mi>"
SPACED = f'<mspace width="0.17em" />{LOGARITHM}<mspace width="0.17em" />'


def on_page_content(html: str, **_: Any) -> str:
    """Return a page's HTML with its equations in MathML."""
    html = INLINE.sub(lambda found: mathml(found[1], "inline"), html)
    return BLOCK.sub(lambda found: mathml(found[1], "block"), html)


def mathml(latex: str, display: str) -> str:
    """Return an equation in LaTeX as MathML.

    Args:
        latex: the equation, with HTML's escapes.
        display: "inline" or "block".
    """
    return str(convert(unescape(latex).strip(), display=display)).replace(LOGARITHM, SPACED)
