"""Evaluate finished runs: python evaluate.py run=runs/mnist/lagging/2026-01-31_12-00-00"""

from reslag_vae.cli import run
from reslag_vae.evaluation.command import main

if __name__ == "__main__":
    run(main, "python evaluate.py")
