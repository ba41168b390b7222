"""What a trained model is worth: numbers of any model with an encoder and a decoder, and pictures.

Each function takes a `LatentModel`: what `reslag_vae.load` returns, or a foreign pair in an
`EncoderDecoder`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reslag_vae.evaluation.public import *  # noqa: F403  # seen by type checkers alone; `__all__` there names each


def __getattr__(name: str) -> Any:
    """Return one of the functions, imported when it is first asked for: PyTorch takes seconds."""
    public = import_module("reslag_vae.evaluation.public")
    if name in public.__all__:
        return getattr(public, name)
    raise AttributeError(f"module 'reslag_vae.evaluation' has no attribute {name!r}")
