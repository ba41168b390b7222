"""What the tests of this folder call near is what rounding alone does to training."""

import pytest
import torch

from tests.gpu.conftest import EAGER, STEPS, Run, assert_near


@pytest.fixture
def small() -> tuple[str, ...]:
    """The usual network, also in a dry run: rounding hardly grows in a small one."""
    return ("data.batch_size=64",)


# PyTorch checks a setting of oneDNN that is not asked for here.
@pytest.mark.filterwarnings("ignore:TF32 acceleration on top of oneDNN:UserWarning")
@pytest.mark.slow
def test_training_by_other_kernels_of_the_cpu_is_near(run: Run) -> None:
    trained = []
    for enabled in (True, False):
        with torch.backends.mkldnn.flags(enabled=enabled):
            trained.append(run("model=beta_vae", EAGER, on="cpu"))
    assert len(trained[0].rows[0]) >= STEPS
    assert not torch.equal(trained[0].rows[0], trained[1].rows[0])
    assert_near(*trained, 1e-3)
