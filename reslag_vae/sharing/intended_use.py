"""What a model is for, and what it is not for, in plain words."""

from typing import Any

from reslag_vae.sharing.numbers import named_values


def purpose(result: dict[str, Any], shape: tuple[int, int, int], latent_dim: int) -> str:
    """Return what a model is for.

    Args:
        result: content of the run's metrics.json.
        shape: (C, H, W) of its images.
        latent_dim: number of its latent dimensions.

    Raises:
        RunError: metrics.json is damaged.
    """
    channels, height, width = shape
    count = named_values(result, "images").get("train")
    trained = f"{count} images" if isinstance(count, int) else "images"
    data = f" of {result['data']}" if "data" in result else ""
    taken = f"It was trained on {trained}{data}, as {channels} x {height} x {width} numbers."
    if not latent_dim:
        return f"Research and teaching: drawing samples, and scoring images like those. {taken}"
    return (
        f"Research and teaching: encoding images as {latent_dim} numbers, comparing these, "
        f"decoding them, and drawing samples. {taken}"
    )


def limits(result: dict[str, Any], verdict: str, has_mean: bool) -> list[str]:
    """Return what a model cannot do, in sentences.

    Args:
        result: content of the run's metrics.json.
        verdict: whether its latent has collapsed; empty if it is not known.
        has_mean: whether decoded images are means of p(x|z); else they are samples.
    """
    lines = [f"Latent: {verdict}."] if verdict else []
    if "COLLAPSED" in verdict:
        lines.append("What has collapsed tells nothing of an image: do not build on these codes.")
    if not has_mean:
        lines.append("Decoded images are samples: they differ from the original at each draw.")
    if "seed" in result:
        lines.append(f"Its numbers are those of one run, of seed {result['seed']}.")
    return [
        *lines,
        "It knows nothing but its training images: of other images, codes and scores mean little.",
        "What these images lack or show too often, its codes and samples lack or show too often.",
        "Reconstructions and samples are made up: they are no evidence of anything real.",
        "It may have kept traces of single training images.",
        "Not for decisions about people, not to identify anyone, not for medicine or safety: "
        "nothing of the kind was tested.",
    ]
