"""What the latent codes say of the classes: accuracies of two simple classifiers on the posterior means."""

import numpy as np
import torch
from torch import Tensor

NEIGHBOURS = 5


def linear_probe(codes: Tensor, labels: Tensor, test_codes: Tensor, test_labels: Tensor) -> float:
    """Share of the test images that a logistic regression on the standardised codes puts into the right class.

    scikit-learn's, with its default regularisation (L2, C = 1).

    Args:
        codes: (N, d) of training images.
        labels: (N,) class numbers.
        test_codes: (M, d).
        test_labels: (M,).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    probe.fit(_numpy(codes), labels.cpu().numpy())
    return float(probe.score(_numpy(test_codes), test_labels.cpu().numpy()))


def nearest_neighbours(
    codes: Tensor, labels: Tensor, test_codes: Tensor, test_labels: Tensor, neighbours: int = NEIGHBOURS
) -> float:
    """Share of the test images in whose class most of their nearest training codes are, by Euclidean distance.

    Args:
        codes: (N, d) of training images.
        labels: (N,) class numbers.
        test_codes: (M, d).
        test_labels: (M,).
        neighbours: how many vote.
    """
    from sklearn.neighbors import KNeighborsClassifier

    voters = KNeighborsClassifier(neighbours, algorithm="brute").fit(_numpy(codes), labels.cpu().numpy())
    return float(voters.score(_numpy(test_codes), test_labels.cpu().numpy()))


def _numpy(codes: Tensor) -> np.ndarray:
    return codes.detach().to(torch.float64).cpu().numpy()
