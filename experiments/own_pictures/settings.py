"""Trains a model of 270 faces with each of the settings compared here: python settings.py FACES."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

import reslag_vae

WIDE, NARROW = "[32,64,128,256]", "[16,32,64,128]"
# By name of a run: channels, dimensions of the latent, epochs, and what else is set.
ROWS = {
    "wide_150": (WIDE, 150, 10, ["optimizer.lr=0.002"]),
    "wide_32": (WIDE, 32, 10, ["optimizer.lr=0.002"]),
    "wide_32_slow": (WIDE, 32, 12, ["optimizer.lr=0.0005"]),
    "wide_64": (WIDE, 64, 12, ["optimizer.lr=0.001"]),
    "narrow_64_fast": (NARROW, 64, 12, ["optimizer.lr=0.002"]),
    "narrow_64_plateau": (
        NARROW,
        64,
        20,
        ["optimizer.lr=0.002", "optimizer=adam_plateau", "optimizer.plateau.factor=0.3"],
    ),
    "narrow_64": (NARROW, 64, 14, ["optimizer.lr=0.001"]),
}


def faces(files: list[Path]) -> np.ndarray:
    """Return the (N, 64, 64, 3) uint8 images of files: squares from their middles."""
    pictures = (Image.open(file).convert("RGB") for file in files)
    squares = (ImageOps.fit(own, (64, 64), Image.Resampling.BOX) for own in pictures)
    return np.stack([np.asarray(own) for own in squares])


def main() -> None:
    """Train the models in turn, in results/."""
    files = sorted(Path(sys.argv[1]).iterdir())
    first, last = faces(files[:300]), faces(files[-300:])
    for name, (channels, latent, epochs, others) in ROWS.items():
        reslag_vae.fit(
            first,
            "data.passes=8",
            f"trainer.max_epochs={epochs}",
            "trainer.compile=false",
            f"recipe.channels={channels}",
            "recipe.blocks=[1,1,1,1]",
            f"recipe.latent_dim={latent}",
            *others,
            validation=last,
            model="optimal_sigma",
            folder=f"results/{name}",
        )


if __name__ == "__main__":
    main()
