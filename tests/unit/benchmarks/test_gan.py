"""The GAN beside which VAEs are as sharp as they are."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.adversaries import BETAS, RATE, Adversaries, Discriminator
from benchmarks.gan import main
from reslag_vae.evaluation.metrics import classifier
from reslag_vae.likelihoods import UnitGaussian
from reslag_vae.models import FlatModel
from reslag_vae.networks import LightResidualNetwork

SHAPE, CHANNELS, BLOCKS = (3, 13, 9), [4, 8], [2, 1]


def adversaries(seed: int = 0) -> Adversaries:
    torch.manual_seed(seed)
    network = LightResidualNetwork(SHAPE, 5, CHANNELS, BLOCKS)
    model = FlatModel(network, UnitGaussian())
    return Adversaries(model, Discriminator(SHAPE, CHANNELS, BLOCKS), seed).train()


def minibatch(number: int) -> Tensor:
    return torch.rand(6, *SHAPE, generator=torch.Generator().manual_seed(number))


def test_the_generator_is_the_decoder_and_nothing_else_of_the_model_moves() -> None:
    ours = adversaries()
    assert ours.decoder is ours.model.network.generative
    before = {name: own.clone() for name, own in ours.state_dict().items()}
    ours.step(minibatch(0))
    moved = {name for name, own in ours.state_dict().items() if not torch.equal(own, before[name])}
    assert any(name.startswith("model.network.generative.") for name in moved)
    assert any(name.startswith("discriminator.") for name in moved)
    assert all(name.startswith(("model.network.generative.", "discriminator.")) for name in moved)


def test_a_step_is_that_of_the_hinge_loss_written_out() -> None:
    ours, theirs = adversaries(), adversaries()
    fooled, told = ours.step(minibatch(0))

    decoder, judge = theirs.decoder, theirs.discriminator
    of_decoder, of_judge = (
        torch.optim.Adam(own.parameters(), RATE, BETAS) for own in (decoder, judge)
    )
    latents = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    fake = decoder(latents).sigmoid()
    loss = F.relu(1 - judge(minibatch(0))).mean() + F.relu(1 + judge(fake.detach())).mean()
    loss.backward()
    of_judge.step()
    second = -judge(fake).mean()
    second.backward()
    of_decoder.step()
    assert (fooled, told) == (
        pytest.approx(float(second.detach())),
        pytest.approx(float(loss.detach())),
    )
    for own, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(own, other)


def test_scores_are_of_each_image_alone() -> None:
    judge = adversaries().discriminator.eval()
    images = minibatch(1)
    whole = judge(images)
    assert whole.shape == (6,)
    torch.testing.assert_close(torch.cat([judge(image[None]) for image in images]), whole)


def test_an_interrupted_training_ends_where_the_other_does() -> None:
    whole, first, second = adversaries(), adversaries(), adversaries(seed=1)
    for number in range(4):
        whole.step(minibatch(number))
    for number in range(2):
        first.step(minibatch(number))
    second.go_on_from(first.training_state())
    for number in (2, 3):
        second.step(minibatch(number))
    assert second.images_seen == whole.images_seen == 24
    for (name, own), other in zip(
        second.state_dict().items(), whole.state_dict().values(), strict=True
    ):
        assert torch.equal(own, other), name


def test_the_command_trains_measures_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier, "STEPS", 5)
    small = ["data=digits", f"data.root={tmp_path}", "recipe.channels=[4,8]", "recipe.blocks=[1,1]"]
    out = ["--out", str(tmp_path / "gan")]
    main([*out, "--images", "64", *small])
    folder = tmp_path / "gan" / "digits"
    assert {path.name for path in folder.iterdir()} == {
        "gan.json",
        "last.pt",
        "samples.png",
        "table.md",
    }

    def results() -> dict[str, Any]:
        content: dict[str, Any] = json.loads((folder / "gan.json").read_text())["results"]
        return content

    found = results()
    assert (found["data"], found["seed"], found["images_seen"]) == ("digits", 0, 64)
    assert found["hours"] > 0
    for number in found["numbers"].values():
        assert math.isfinite(number["value"])
        assert "test split" in number["protocol"]
    main([*out, "--images", "128", *small])
    assert results()["images_seen"] == 128
    table = (folder / "table.md").read_text()
    assert table.startswith("# Benchmark gan: digits\n")
    assert "| digits | 128 |" in table
    with pytest.raises(SystemExit, match=r"last\.pt is of .*'seed': 0.*name another folder"):
        main([*out, "--seed", "1", *small])
