import pytest
import torch

from reslag_vae.evaluation import iteration
from reslag_vae.likelihoods import PixelCNN


@pytest.mark.parametrize("gigabytes", [1, 8, 24, 140])
@torch.no_grad()
def test_the_features_of_a_pixelcnn_fit_into_half_of_a_gpu_s_free_memory(
    gigabytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the widest layer: what it is given, padded and convolved, of both stacks."""
    free = gigabytes * 10**9
    monkeypatch.setattr(iteration, "free_memory", lambda device: free)
    count = iteration.chunk_size(28 * 28, torch.device("cuda"))
    widest = 0

    def note(module: torch.nn.Module, given: tuple[torch.Tensor], result: torch.Tensor) -> None:
        nonlocal widest
        widest = max(widest, 2 * (2 * given[0].nbytes + result.nbytes))

    likelihood = PixelCNN((1, 28, 28))
    for module in likelihood.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(note)
    likelihood.log_prob(torch.zeros(1, 1, 28, 28), torch.zeros(1, 16, 28, 28))

    assert count * widest <= free / 2
