"""The command that evaluates finished runs: `python evaluate.py`, or `reslag evaluate`."""

import sys

import hydra
from omegaconf import DictConfig

from reslag_vae import options
from reslag_vae._runtime import process
from reslag_vae._runtime.errors import UserError, permission_errors
from reslag_vae._runtime.invocation import configuration_folder
from reslag_vae._runtime.jobs import job_end
from reslag_vae._runtime.loading import loading


@hydra.main(version_base="1.3", config_path=str(configuration_folder()), config_name="evaluate")
def main(config: DictConfig) -> None:
    """Write numbers and pictures of every run into its folder, and compare several runs."""
    process.wait_briefly_in_a_crowd()
    try:
        with permission_errors():
            options.check_evaluation(config)
            with loading():
                from reslag_vae.evaluation.main import evaluate

            process.quiet()
            process.tune()
            evaluate(config)
    except UserError as error:
        raise job_end(str(error)) from None
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        raise
