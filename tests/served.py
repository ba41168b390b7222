"""What a server of forks loads, and does, once for all of them: see `running.fork`."""

import sys
from pathlib import Path

from hydra import compose, initialize_config_dir
from shortcuts import SHORTCUTS

import reslag_vae.cli.door
import reslag_vae.evaluation.main
import reslag_vae.training.finish
import reslag_vae.training.main
import reslag_vae.training.preparation
import reslag_vae.variants  # noqa: F401

for owner, name, own in SHORTCUTS:
    setattr(owner, name, own)
# Hydra looks for its plugins, and its parser learns its grammar: as long as a composition takes.
with initialize_config_dir(str(Path(__file__).parents[1] / "conf"), version_base="1.3"):
    compose("train", ["data=digits"])
sys.path.remove(str(Path(__file__).parent))  # scripts do not find what tests import
