"""Pictures for explorers."""

import torch

from reslag_vae.explore.pictures import Pictures


def some_pictures(shape: tuple[int, int, int], count: int = 24) -> Pictures:
    """Random pictures of three classes and two attributes."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(256, (count, *shape), generator=generator, dtype=torch.uint8)
    return Pictures(
        images=images,
        names=[f"picture {number}" for number in range(count)],
        labels=torch.arange(count) % 3,
        classes=["round", "square", "<b>long"],
        members=torch.stack([torch.arange(count) % 2 == 0, torch.arange(count) < 4], dim=1),
        attributes=["smiling", "old"],
        source="pictures of a test",
    )
