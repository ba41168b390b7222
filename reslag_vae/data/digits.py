"""The data module of the 8x8 digits that come with scikit-learn."""

import torch
import torch.nn.functional as F

from reslag_vae.data.base import ImageDataModule
from reslag_vae.data.images import Images, Source


class Digits(ImageDataModule):
    """Digits: 1,797 handwritten digits, enlarged from 8x8 to 28x28.

    They need no file and no network.

    Source: https://archive.ics.uci.edu/dataset/80 (its test set). There is no official split.
    """

    name = "digits"
    image_shape = (1, 28, 28)
    needs_root = False

    def read(self) -> Source:
        from sklearn.datasets import load_digits

        digits = load_digits()
        grey = torch.from_numpy(digits.images)[:, None] * (255 / 16)
        large = F.interpolate(grey, size=self.image_shape[1:], mode="bilinear", align_corners=False)
        images = Images(large.round().to(torch.uint8), torch.from_numpy(digits.target).long())
        return Source(images, None, None, [str(digit) for digit in range(10)])
