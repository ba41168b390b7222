"""The recipe of images that no configuration knows."""

from typing import Any

from reslag_vae.data import Arrays

# A latent has an eighth of the numbers of an image, and no more than a folder of pictures.
SHARE, MOST_LATENTS = 8, 64


def recipe_of(data: Arrays) -> dict[str, Any]:
    """Return the options that suit images: shape, latent, stages, and the mass of a pixel.

    Args:
        data: the images.
    """
    channels, height, width = data.image_shape
    side = min(height, width)
    depths = [16, 32] if side < 16 else [16, 32, 64] if side < 32 else [16, 32, 64, 128]
    colours = "levels" if channels == 1 else "logistic_mixture"
    return {
        "recipe.image_shape": list(data.image_shape),
        "recipe.latent_dim": max(1, min(MOST_LATENTS, channels * height * width // SHARE)),
        "recipe.channels": depths,
        "recipe.blocks": [1] * len(depths),
        "recipe.pixels": "bernoulli" if data.binary else colours,
    }
