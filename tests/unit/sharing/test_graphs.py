"""Encoder and decoder as ONNX graphs: what they say of themselves, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from reslag_vae._runtime.errors import UserError
from reslag_vae.likelihoods import Bernoulli
from reslag_vae.networks import Network
from reslag_vae.sharing import graphs as module
from reslag_vae.sharing.command import main
from reslag_vae.sharing.graphs import (
    Decoder,
    Encoder,
    Graphs,
    compared,
    described,
    difference,
    graphs_of,
    notes,
)
from tests.systems import make_model

MakeNetwork = Callable[..., Network]
FILES = {"encoder.onnx": b"encoder", "decoder.onnx": b"decoder"}


@pytest.fixture
def model(make_network: MakeNetwork) -> nn.Module:
    return make_model(make_network()).eval().requires_grad_(False)


def test_the_modules_are_the_model_s_own_functions(model: nn.Module) -> None:
    images, latents = torch.rand(2, 1, 8, 8), torch.randn(2, 3)
    mean, deviation = Encoder(model)(images)
    assert torch.equal(mean, model.encode(images))
    torch.testing.assert_close(deviation, model.posterior_of(images).variance.sqrt())
    assert torch.equal(Decoder(model)(latents)[0], model.decode(latents))


def test_a_run_is_exported_with_its_graphs(
    first_stage: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = Graphs(FILES, ("mean", "standard_deviation"), 2.5e-7)
    monkeypatch.setattr("reslag_vae.sharing.command.missing", lambda names: [])
    monkeypatch.setattr("reslag_vae.sharing.export.graphs_of", lambda model: made)
    out = tmp_path / "out"
    monkeypatch.setattr("sys.argv", ["export", str(first_stage("model=vae")), str(out), "--onnx"])
    main()
    said = "The largest difference from PyTorch is 2e-07."
    assert f"encoder.onnx and decoder.onnx: {said}\n" in capsys.readouterr().err
    assert {name: (out / name).read_bytes() for name in FILES} == FILES
    text = (out / "README.md").read_text()
    assert "takes `images`, float32 of B x 1 x 28 x 28, from 0 to 1 (uint8 pixels" in text
    assert "returns `mean` and `standard_deviation`" in text
    assert said in text


def test_a_missing_package_is_told_before_the_run_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("reslag_vae._runtime.packages.find_spec", lambda name: None)
    run, out = tmp_path / "no run", tmp_path / "out"
    monkeypatch.setattr("sys.argv", ["export", str(run), str(out), "--onnx"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        "--onnx needs onnx, onnxscript: pip install 'reslag_vae[onnx]'\n"
    )
    assert not out.exists()


def test_graphs_of_black_and_white_say_so(make_network: MakeNetwork) -> None:
    graphs, model = Graphs(FILES, ("mean",), 1e-7), make_model(make_network(), "elbo", Bernoulli())
    for text in (described(graphs, (1, 8, 8), binary=True), notes(model)["images"]):
        assert "0 or 1 and no greys (1 of uint8 pixels from 128 on, as `reslag apply`)" in text
        assert "divided by 255" not in text


def test_graphs_that_were_not_compared_say_so() -> None:
    graphs = Graphs(FILES, ("mean",), None)
    assert compared(graphs) == "They were not compared with PyTorch: onnxruntime is not installed."
    assert compared(graphs) in described(graphs, (3, 32, 32))


class Refusing(nn.Module):
    """Cannot be exported, for its result depends on a number in a tensor."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> Tensor:
        assert float(images.sum()) >= 0
        return self.inner(images)


def test_what_pytorch_cannot_export_is_one_sentence(model: nn.Module) -> None:
    for name in ("onnx", "onnxscript"):
        pytest.importorskip(name, reason="pip install 'reslag_vae[onnx]'")
    model.network.inference = Refusing(model.network.inference)
    with pytest.raises(UserError, match=r"^--onnx: PyTorch cannot export the encoder: .+") as found:
        graphs_of(model)
    assert "\n" not in str(found.value)


def test_a_graph_that_does_something_else_is_refused(
    model: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason="pip install 'reslag_vae[onnx]'")
    latents = torch.randn(2, 3)
    decoder = Decoder(model).eval()
    content = module.graph(decoder, latents, ("latents", "images"), {"images": "bright"})
    assert difference("decoder.onnx", content, decoder, latents) < 1e-5
    assert b"bright" in content
    assert b".py" not in content
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1
    with pytest.raises(UserError, match=r"^--onnx: decoder\.onnx differs from PyTorch by .+ more"):
        difference("decoder.onnx", content, decoder, latents)


class Centred(nn.Module):
    """Its buffer has the name of an output."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([1.0, 2.0, 3.0]))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return (images - self.mean,)


def test_names_in_a_graph_are_different() -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason="pip install 'reslag_vae[onnx]'")
    own, given = Centred().eval(), torch.rand(2, 3)
    content = module.graph(own, given, ("images", "mean"), {})
    assert difference("encoder.onnx", content, own, given) == 0
