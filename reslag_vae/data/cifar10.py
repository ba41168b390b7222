"""CIFAR10."""

from reslag_vae.data.base import ImageDataModule
from reslag_vae.data.cifar import read_cifar
from reslag_vae.data.images import Source


class CIFAR10(ImageDataModule):
    """50,000 + 10,000 photographs of 10 classes, 3x32x32.

    In torchvision's layout: `<root>/cifar-10-batches-py/`.
    Source: Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html.
    """

    name = "cifar10"
    image_shape = (3, 32, 32)

    def read(self) -> Source:
        from torchvision import datasets

        train, test, class_names = read_cifar(datasets.CIFAR10, self.root)
        return Source(train, None, test, class_names)
