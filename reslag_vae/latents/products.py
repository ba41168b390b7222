"""Products of matrices that are as exact under autocast as without it."""

import torch
from torch import Tensor


def product(first: Tensor, second: Tensor) -> Tensor:
    """Return `first @ second` in the precision of the factors, also under autocast.

    There PyTorch would round both to 8 bits: a KL of some nats would be off by hundredths of them,
    and masses would not sum to 1.

    Args:
        first: (n, k) or (k,).
        second: (k, m) or (k,), in the precision of the first.
    """
    with torch.autocast(first.device.type, enabled=False):
        return first @ second
