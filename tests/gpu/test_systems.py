"""Systems beside the thesis' on a GPU, as graphs and step by step."""

import pytest
import torch

from reslag_vae.data import placement
from tests.gpu.conftest import EAGER, GRAPHED, Run, assert_near

SYSTEMS = (
    "model=mmd_infovae",
    "model=beta_vae objective=capacity objective.epochs=2",
    "model=vae objective=warm_up objective.epochs=2",
    "model=vq_vae",
    "model=ladder_vae",
    "model=vae prior=flow",
    "model=vae prior=vamp",
    "model=pixelvae",
)


# What a dry run has time for.
SMALL = {
    "model=vq_vae": ("network.channels=[4,8]", "posterior.codes=16"),
    "model=ladder_vae": ("network.channels=[4,8]", "network.latent_channels=[1,2]"),
    "model=pixelvae": ("likelihood.channels=4", "likelihood.layers=2"),
    "model=vae prior=flow": ("prior.transforms=2", "prior.hidden_features=[8]"),
}


@pytest.mark.parametrize("options", SYSTEMS)
def test_graphs_are_taken_of_every_system(options: str, run: Run, device: torch.device) -> None:
    if "prior=flow" in options:
        pytest.importorskip("zuko", reason="prior=flow needs zuko")
    sizes = () if device.type == "cuda" else SMALL.get(options, ())
    eager, graphed = (run(*options.split(), *sizes, own, epochs=2) for own in (EAGER, GRAPHED))
    assert graphed.graphed
    assert graphed.model.graphed is not None
    assert graphed.model.graphed.changes == 0
    # Codes are chosen by rounding, too: a choice may differ.
    assert_near(graphed, eager, 0.02 if "vq" in options else 2e-3)


def test_steps_on_fresh_minibatches_are_not_captured(run: Run) -> None:
    options = ("model=lagging", "schedule.ratio=2", "schedule.epochs=1", "schedule.batches=fresh")
    eager, graphed = (run(*options, own, epochs=2) for own in (EAGER, GRAPHED))
    assert graphed.graphs[0] == set()
    assert {phase for phase, _ in graphed.graphs[1]} == {"joint"}
    assert_near(graphed, eager, 2e-3)


def test_images_that_do_not_fit_stay_in_main_memory(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = run("model=lagging", "schedule.epochs=0", GRAPHED)
    monkeypatch.setattr(placement, "GPU_SHARE", 0.0)
    outside = run("model=lagging", "schedule.epochs=0", GRAPHED)
    assert outside.trainer.datamodule._placement.copies == {}  # type: ignore[attr-defined]
    assert outside.graphed
    assert_near(outside, there, 1e-3)
