"""CIFAR100."""

from reslag_vae.data.base import ImageDataModule
from reslag_vae.data.cifar import read_cifar
from reslag_vae.data.images import Source


class CIFAR100(ImageDataModule):
    """50,000 + 10,000 photographs of 100 fine classes, 3x32x32.

    In torchvision's layout: `<root>/cifar-100-python/`.
    Source: Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html.
    """

    name = "cifar100"
    image_shape = (3, 32, 32)

    def read(self) -> Source:
        from torchvision import datasets

        train, test, class_names = read_cifar(datasets.CIFAR100, self.root)
        return Source(train, None, test, class_names)
