"""Train a variant on a data set: python train.py model=reslag_light data=cifar10"""

from reslag_vae.cli import run
from reslag_vae.training.main import main

if __name__ == "__main__":
    run(main, "python train.py")
