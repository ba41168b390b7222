"""FashionMNIST."""

from reslag_vae.data.base import ImageDataModule
from reslag_vae.data.idx import read_idx
from reslag_vae.data.images import Source


class FashionMNIST(ImageDataModule):
    """60,000 + 10,000 pictures of clothes, 1x28x28, in torchvision's layout: `<root>/FashionMNIST/raw/`.

    Source: Xiao, Rasul and Vollgraf, https://arxiv.org/abs/1708.07747.
    """

    name = "fashion_mnist"
    image_shape = (1, 28, 28)

    def read(self) -> Source:
        from torchvision import datasets

        train, test, notes = read_idx(datasets.FashionMNIST, self.root)
        return Source(train, None, test, list(datasets.FashionMNIST.classes), notes=notes)
