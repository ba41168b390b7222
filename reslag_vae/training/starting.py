"""What a model takes from the data before its first update."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.data import ImageDataModule
from reslag_vae.data.images import as_batch
from reslag_vae.likelihoods.pixels import unit_interval

if TYPE_CHECKING:
    from reslag_vae.training.system import BaseVAE

# Training images, at most, whose vectors are clustered
IMAGES = 1024
SEED = 0


@torch.no_grad()
def start_from_data(system: "BaseVAE") -> None:
    """Start posteriors from clusters of the vectors of training images.

    Raises:
        ConfigError: there are too few training images.
    """
    posteriors = system.model.posteriors()
    if not any(posterior.clusters and posterior.training for posterior in posteriors):
        return
    images = images_to_start_from(system)
    for posterior, vectors in system.model.vectors_to_start_from(
        unit_interval(images.to(system.device))
    ):
        if posterior.clusters:
            centres = centres_of(vectors, posterior.clusters)
            posterior.start(centres.to(vectors))


def images_to_start_from(system: "BaseVAE") -> Tensor:
    """Return (B, C, H, W) training images, at most 1,024.

    They are evenly spaced among all of a data module, and the first ones of another's loader.
    """
    data = getattr(system.trainer, "datamodule", None)
    if isinstance(data, ImageDataModule):
        train = data.split("train").evenly_spaced(IMAGES)
        return train[torch.arange(len(train))].images
    found: list[Tensor] = []
    loader: Any = system.trainer.train_dataloader  # one of a stream has no length
    for given in loader:
        found.append(as_batch(given).images)
        if sum(map(len, found)) >= IMAGES:
            break
    return torch.cat(found)[:IMAGES]


def centres_of(vectors: Tensor, clusters: int) -> Tensor:
    """Return the (clusters, width) means of clusters of (M, width) vectors, by k-means.

    Raises:
        ConfigError: there are fewer vectors than clusters.
    """
    from sklearn.cluster import MiniBatchKMeans

    if len(vectors) < clusters:
        raise ConfigError(
            f"posterior.codes={clusters}: a code starts from a position of a training image, and "
            f"{len(vectors):,} are taken, of at most {IMAGES:,} images; give fewer codes."
        )
    fitted = MiniBatchKMeans(clusters, n_init=1, random_state=SEED)
    return torch.from_numpy(fitted.fit(vectors.float().cpu().numpy()).cluster_centers_)
