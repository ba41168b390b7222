"""Evaluate finished runs from their checkpoints alone: python evaluate.py run=runs/mnist/lagging/2026-01-31_12-00-00"""

import sys

import hydra
from hydra.errors import CompactHydraException
from omegaconf import DictConfig

from reslag_vae.errors import UserError


def evaluate(config: DictConfig) -> None:
    """Numbers and pictures of every run into its folder, and of several a comparison."""
    from reslag_vae import evaluations, process, wiring

    wiring.quiet()
    process.hide_missing_gpus()
    evaluations.evaluate(config)


@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
def main(config: DictConfig) -> None:
    """Compose the configuration."""
    try:
        evaluate(config)
    except UserError as error:
        # Hydra prints this one without a stack of calls.
        raise CompactHydraException(str(error)) from None
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        raise SystemExit(130) from None  # as shells say of a process that SIGINT ended


if __name__ == "__main__":
    main()
