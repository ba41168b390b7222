"""Evaluate finished runs from their checkpoints alone: python evaluate.py run=runs/mnist/lagging/2026-01-31_12-00-00"""

import sys

import hydra
from omegaconf import DictConfig

from reslag_vae import options
from reslag_vae._runtime import process
from reslag_vae._runtime.errors import UserError, closed_doors
from reslag_vae.cli import run, told


@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
def main(config: DictConfig) -> None:
    """Numbers and pictures of every run into its folder, and of several a comparison."""
    process.wait_briefly()
    try:
        with closed_doors():
            options.check_evaluation(config)
            from reslag_vae.evaluation.main import evaluate
            from reslag_vae.training.build import quiet

            quiet()
            process.hide_missing_gpus()
            evaluate(config)
    except UserError as error:
        raise told(str(error)) from None
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        raise


if __name__ == "__main__":
    run(main)
