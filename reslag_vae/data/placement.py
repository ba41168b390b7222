"""The place of images: on a GPU if they fit into half of its memory, else in main memory."""

import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from reslag_vae.data.images import Images

log = logging.getLogger(__name__)

# Part of a GPU's free memory that images may take: the rest is the network's.
GPU_SHARE = 0.5


class Placement:
    """The copies of a data set's stores of images on a GPU.

    Attributes:
        copies: copy of each store that is on the GPU.
    """

    def __init__(self) -> None:
        self.copies: dict[Tensor, Tensor] = {}

    def place(self, images: Images, splits: Sequence[Images], device: torch.device) -> Images:
        """Return images on a GPU if those of all splits fit there, so that none is copied twice.

        Args:
            images: images of one split.
            splits: images of all splits.
            device: device of the trainer.

        Returns:
            The same images on the device, or as they are if the device is no GPU or too small.
        """
        if device.type != "cuda":
            return images
        if images.store not in self.copies:
            missing = {split.store for split in splits} - self.copies.keys()
            if sum(store.nbytes for store in missing) > GPU_SHARE * free_memory(device):
                log.warning(
                    "The images stay in main memory: they would take more than half of the GPU's."
                )
                return images
        return images.to(device, self.copies)


def free_memory(device: torch.device) -> int:
    """Return the free memory of a GPU in bytes, with what PyTorch holds without using it."""
    held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + held
