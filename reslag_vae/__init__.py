"""Variational autoencoders that compute their likelihood variance and report a collapsed latent."""

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"
__all__ = ["load"]

if TYPE_CHECKING:
    from reslag_vae.runs.load import load


def __getattr__(name: str) -> Any:
    """Import `reslag_vae.load` when it is first used, because PyTorch takes seconds to import."""
    if name == "load":
        from reslag_vae.runs.load import load

        return load
    raise AttributeError(f"module 'reslag_vae' has no attribute {name!r}")
