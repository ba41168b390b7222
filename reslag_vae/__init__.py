"""Variational autoencoders that compute their likelihood variance and report a collapsed latent."""

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"
__all__ = ["build", "fit", "load"]

if TYPE_CHECKING:
    from reslag_vae.interface import build, fit
    from reslag_vae.runs.load import load


def __getattr__(name: str) -> Any:
    """Import a function when it is first used, because PyTorch takes seconds to import."""
    if name == "load":
        from reslag_vae.runs.load import load

        return load
    if name in ("build", "fit"):
        from reslag_vae._runtime.process import wait_briefly_in_a_crowd

        wait_briefly_in_a_crowd()  # before PyTorch is loaded
        from reslag_vae import interface

        return getattr(interface, name)
    raise AttributeError(f"module 'reslag_vae' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return all names, also of what is not imported yet: a notebook offers them."""
    return sorted({*globals(), *__all__})
