"""A Lightning Trainer of a user's own, for tests."""

from typing import Any

from lightning import Trainer


def silent_trainer(**options: Any) -> Trainer:
    """A Trainer on the CPU that shows and keeps nothing, but for its options."""
    settings: dict[str, Any] = {
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return Trainer(**(settings | options))
