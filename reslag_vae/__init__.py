"""Variational autoencoders that pick their own likelihood variance and say when their latent has collapsed."""

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"
__all__ = ["load"]

if TYPE_CHECKING:
    from reslag_vae.runs.load import load


def __getattr__(name: str) -> Any:
    """`reslag_vae.load`, imported when it is first asked for: PyTorch takes seconds."""
    if name == "load":
        from reslag_vae.runs.load import load

        return load
    raise AttributeError(f"module 'reslag_vae' has no attribute {name!r}")
