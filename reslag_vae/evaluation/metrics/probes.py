"""Probes of the latent: accuracies of two simple classifiers on the posterior means."""

import numpy as np
import torch
from torch import Tensor

from reslag_vae.models.latent_inputs import as_latents
from reslag_vae.models.number_inputs import check_count

NEIGHBOURS = 5


def linear_probe(codes: Tensor, labels: Tensor, test_codes: Tensor, test_labels: Tensor) -> float:
    """Return the test accuracy of a logistic regression on standardised codes.

    The regression is scikit-learn's with its default regularisation (L2, C = 1). The accuracy is
    the share of test images that it assigns to the right class.

    Args:
        codes: (N, d) codes of training images.
        labels: (N,) class numbers.
        test_codes: (M, d) codes of test images.
        test_labels: (M,) class numbers.

    Raises:
        ValueError: codes and labels do not match, or all labels are of one class.
    """
    check(codes, labels, test_codes, test_labels)
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    probe.fit(_numpy(codes), labels.cpu().numpy())
    return float(probe.score(_numpy(test_codes), test_labels.cpu().numpy()))


def nearest_neighbours(
    codes: Tensor,
    labels: Tensor,
    test_codes: Tensor,
    test_labels: Tensor,
    neighbours: int = NEIGHBOURS,
) -> float:
    """Return the test accuracy of a vote of the nearest training codes.

    The distance is Euclidean. The accuracy is the share of test images that the vote assigns to the
    right class.

    Args:
        codes: (N, d) codes of training images.
        labels: (N,) class numbers.
        test_codes: (M, d) codes of test images.
        test_labels: (M,) class numbers.
        neighbours: number of codes that vote.

    Raises:
        ValueError: codes and labels do not match, or there are fewer codes than neighbours.
    """
    check(codes, labels, test_codes, test_labels)
    neighbours = check_count("neighbours", neighbours, len(codes))
    from sklearn.neighbors import KNeighborsClassifier

    voters = KNeighborsClassifier(neighbours, algorithm="brute")
    voters.fit(_numpy(codes), labels.cpu().numpy())
    return float(voters.score(_numpy(test_codes), test_labels.cpu().numpy()))


def check(codes: Tensor, labels: Tensor, test_codes: Tensor, test_labels: Tensor) -> None:
    """Refuse codes and labels that do not match.

    Args:
        codes: (N, d) codes of training images.
        labels: (N,) class numbers.
        test_codes: (M, d) codes of test images.
        test_labels: (M,) class numbers.

    Raises:
        ValueError: shapes or types do not match, or all labels are of one class.
    """
    for own, classes in ((codes, labels), (test_codes, test_labels)):
        as_latents(own)
        if not isinstance(classes, Tensor) or classes.dim() != 1 or len(classes) != len(own):
            raise ValueError(f"labels: ({len(own)},) class numbers are wanted, one for each code.")
    if codes.shape[1] != test_codes.shape[1]:
        raise ValueError(
            f"Codes of {codes.shape[1]} and of {test_codes.shape[1]} numbers: they do not compare."
        )
    if int(labels.min()) == int(labels.max()):
        raise ValueError("labels: at least 2 classes are wanted.")


def _numpy(codes: Tensor) -> np.ndarray:
    return codes.detach().to(torch.float64).cpu().numpy()
