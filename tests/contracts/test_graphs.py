"""What the ONNX graphs of every system do: what the system does, or they are refused.

A new variant joins by being exported.
"""

from typing import Any

import numpy as np
import pytest
import torch

from reslag_vae._runtime.errors import UserError
from reslag_vae.data import Digits
from reslag_vae.runs.exported import DECODER_FILE, ENCODER_FILE
from reslag_vae.sharing.graphs import TOLERANCE, Graphs, graphs_of
from reslag_vae.training.build import build_system
from reslag_vae.training.system import BaseVAE
from tests.contracts.test_systems import VARIANTS, Compose, FirstStage, composed

pytestmark = pytest.mark.usefixtures("small_digits")

# Without a mean of p(x|z), or without latents
REFUSED = {"pixelcnn", "pixelvae", "pixelvae_pp"}

# Each of the others takes ten seconds and more
FAST = REFUSED | {"vae"}

PRIORS = ("vamp", "flow", "two_stage", "mixture")


def cases() -> list[Any]:
    marks = {name: () if name in FAST else (pytest.mark.slow,) for name in names()}
    every = [pytest.param(own, (), id=own.name, marks=marks[own.name]) for own in VARIANTS]
    (vae,) = [own for own in VARIANTS if own.name == "vae"]
    options = [f"prior={name}" for name in PRIORS]
    more = [pytest.param(vae, (own,), id=own, marks=pytest.mark.slow) for own in options]
    return [*every, *more]


def names() -> list[str]:
    return [own.name for own in VARIANTS]


@pytest.mark.parametrize(("variant", "options"), cases())
def test_graphs_do_what_the_system_does_or_are_refused(
    variant: type[BaseVAE], options: tuple[str, ...], compose: Compose, first_stage: FirstStage
) -> None:
    model = build_system(composed(variant, compose, first_stage, *options)).model
    model.eval().requires_grad_(False)
    if variant.name in REFUSED:
        with pytest.raises(UserError, match=r"--onnx: the model('s images are| has no latents)"):
            graphs_of(model)
        return
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason="pip install 'reslag_vae[onnx]'")
    graphs = graphs_of(model)

    assert graphs.difference is not None
    assert graphs.difference <= TOLERANCE
    data = Digits("unused", batch_size=16, val_fraction=0.1, seed=0)
    data.setup()
    images = data.split("val").images[:7]
    for size in (7, 1):
        given = (images[:size] / 255).numpy()
        means, *deviations = run(graphs, ENCODER_FILE, given)
        np.testing.assert_allclose(means, model.encode(images[:size]), atol=TOLERANCE, rtol=0)
        (decoded,) = run(graphs, DECODER_FILE, means)
        theirs = model.decode(torch.from_numpy(means))
        np.testing.assert_allclose(decoded, theirs, atol=TOLERANCE, rtol=0)
        known = model.infer(images[:size] / 255).log_variances
        assert (known is not None) == bool(deviations)
        if known is not None:
            np.testing.assert_allclose(deviations[0], (known / 2).exp(), atol=TOLERANCE, rtol=0)


def run(graphs: Graphs, name: str, given: np.ndarray) -> list[np.ndarray]:
    """What a graph makes of a minibatch, in another program than PyTorch."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graphs.files[name])
    (taken,) = session.get_inputs()
    found: list[np.ndarray] = session.run(None, {taken.name: given})
    return found
