"""MNIST."""

from reslag_vae.data.base import ImageDataModule
from reslag_vae.data.idx import read_idx
from reslag_vae.data.images import Source


class MNIST(ImageDataModule):
    """60,000 + 10,000 handwritten digits, 1x28x28, in torchvision's layout: `<root>/MNIST/raw/`.

    Source: LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist.
    """

    name = "mnist"
    image_shape = (1, 28, 28)

    def read(self) -> Source:
        from torchvision import datasets

        train, test, notes = read_idx(datasets.MNIST, self.root)
        return Source(train, None, test, [str(digit) for digit in range(10)], notes=notes)
