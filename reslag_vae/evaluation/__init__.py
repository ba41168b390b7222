"""Evaluation of trained models: numbers of any model with an encoder and a decoder, and pictures.

Each function takes a `LatentModel`: what `reslag_vae.load` returns, or a foreign encoder and
decoder in an `EncoderDecoder`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Seen by type checkers alone; `__all__` there names each, which the star would not say.
    from reslag_vae.evaluation.public import *  # noqa: F403


def __getattr__(name: str) -> Any:
    """Return a public name, imported when it is first asked for: PyTorch takes seconds to load."""
    public = import_module("reslag_vae.evaluation.public")
    if name in public.__all__:
        return getattr(public, name)
    raise AttributeError(f"module 'reslag_vae.evaluation' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return all names, also of what is not imported yet: a notebook offers them."""
    return sorted({*globals(), *import_module("reslag_vae.evaluation.public").__all__})
