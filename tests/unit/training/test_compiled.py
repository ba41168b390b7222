"""Compiled updates: the same losses but for rounding, the same guarantees, and a way out."""

import copy
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from functorch.compile import make_boxed_compiler, nop
from lightning import Trainer
from omegaconf import DictConfig
from torch import Tensor, nn
from torch._dynamo.backends.common import aot_autograd
from torch._inductor import config

from reslag_vae.data import ImageDataModule
from reslag_vae.models.generative import Group
from reslag_vae.networks import LightResidualNetwork, Network
from reslag_vae.objectives import Terms
from reslag_vae.training.build import build_system
from reslag_vae.training.compiled import CompiledForward
from reslag_vae.training.forward import ForwardPass
from reslag_vae.training.freezing import frozen
from reslag_vae.training.schedules import Lagging, Update
from reslag_vae.training.system import BaseVAE
from reslag_vae.variants import AutoEncoder, MMDInfoVAE, ResLagLightVAE
from tests.systems import make_system

Compose = Callable[..., DictConfig]
MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]


class Watched:
    """Notes the losses of every update, and which groups it changed."""

    def __init__(self, model: BaseVAE) -> None:
        self.model, self.original = model, model.update
        self.losses: list[Tensor] = []
        self.changed: list[set[str]] = []
        model.update = self  # type: ignore[method-assign, assignment]

    def __call__(self, images: Tensor, update: Update) -> ForwardPass:
        before = {name: self.state(name) for name in ("inference", "generative")}
        forward = self.original(images, update)
        after = {name: self.state(name) for name in before}
        self.losses.append(forward.losses.clone())
        self.changed.append(
            {name for name in before if not all(map(torch.equal, before[name], after[name]))}
        )
        return forward

    def state(self, name: str) -> list[Tensor]:
        modules: list[nn.Module] = self.model.group(name)  # type: ignore[arg-type]
        return [value.clone() for module in modules for value in module.state_dict().values()]


def reslag_light(make_network: MakeNetwork) -> BaseVAE:
    torch.manual_seed(0)
    network = make_network(LightResidualNetwork, channels=[4])
    return make_system(ResLagLightVAE, network, "sigma_data", Lagging(ratio=2, epochs=1))


def trained(model: BaseVAE, data: ImageDataModule, fit: Fit, compile_it: bool) -> Watched:
    watched = Watched(model)
    model.compilation = compile_it
    torch.manual_seed(1)
    fit(model, data, epochs=2)
    return watched


@pytest.mark.usefixtures("compiler")
def test_compiled_losses_differ_by_rounding_alone_and_frozen_groups_stay_bitwise(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    data = make_data()
    torch._dynamo.utils.counters.clear()
    eager, compiled = (
        trained(reslag_light(make_network), data, fit, choice) for choice in (False, True)
    )
    assert compiled.model.compiled is not None
    assert not compiled.model.compiled.failed
    # One graph for each kind of update, and nothing outside of it.
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 3
    assert not torch._dynamo.utils.counters["graph_break"]
    # 22 images: 8, 8 and the 6 that are not compiled; 3 updates of each in the first epoch, one in
    # the second.
    assert [len(loss) for loss in compiled.losses] == [8] * 6 + [6] * 3 + [8, 8, 6]
    torch.testing.assert_close(compiled.losses, eager.losses, rtol=2e-4, atol=0)
    assert compiled.changed == eager.changed


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize(("precision", "tolerance"), [(torch.float32, 1e-3), (torch.bfloat16, 0.1)])
def test_gradients_are_those_of_the_eager_model(precision: torch.dtype, tolerance: float) -> None:
    # Colours, sizes that have to be cropped, and doublings of many channels and of few.
    network = LightResidualNetwork((3, 9, 7), latent_dim=4, channels=[8, 8], blocks=[1, 1])
    model = make_system(ResLagLightVAE, network, "sigma_data", Lagging(ratio=2, epochs=1)).train()
    images, noise = torch.randint(256, (16, 3, 9, 7), dtype=torch.uint8), (torch.randn(16, 4),)
    gradients = []
    for forward in (model._forward_pass, CompiledForward(model._forward_pass, model)):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            forward(images, noise, None, None).loss.backward()
        gradients.append(
            torch.cat([parameter.grad.flatten() for parameter in network.parameters()])
        )
    eager, compiled = gradients
    assert (compiled - eager).norm() < tolerance * eager.norm()


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("objective", ["mmd", "reconstruction"])
def test_noise_is_drawn_as_without_compilation(
    objective: str, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    losses = []
    for choice in (False, True):
        torch.manual_seed(0)
        variant = MMDInfoVAE if objective == "mmd" else AutoEncoder
        network = make_network(
            parameters_per_latent=2 if variant is MMDInfoVAE else 1, channels=[4]
        )
        model = make_system(variant, network, objective)
        losses.append(trained(model, make_data(), fit, choice).losses)
    torch.testing.assert_close(*losses, rtol=2e-4, atol=0)


def test_where_compilation_fails_training_goes_on_with_a_word(
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    # A kernel that was compiled before needs no compiler.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    broken = config.patch({"cpp.cxx": (None, "no_such_compiler"), "force_disable_caches": True})
    data = make_data()
    eager = trained(reslag_light(make_network), data, fit, compile_it=False)
    with broken, caplog.at_level(logging.WARNING, "reslag_vae"):
        fallen = trained(reslag_light(make_network), data, fit, compile_it=True)
    messages = [
        record.getMessage() for record in caplog.records if record.name.startswith("reslag_vae")
    ]
    assert len(messages) == 1
    # Whether `auto` has chosen compilation or `true`: no option is named.
    assert messages[0].startswith("Training goes on uncompiled, because this failed here: ")
    torch.testing.assert_close(fallen.losses, eager.losses, rtol=2e-4, atol=0)
    assert fallen.changed == eager.changed


def test_where_the_backward_pass_alone_cannot_be_compiled_training_goes_on_too(
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def unable(*_: object) -> None:
        raise RuntimeError("of the backward pass")

    backend = aot_autograd(fw_compiler=make_boxed_compiler(nop), bw_compiler=unable)
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    data = make_data()
    eager = trained(reslag_light(make_network), data, fit, compile_it=False)
    with caplog.at_level(logging.WARNING, "reslag_vae"):
        fallen = trained(reslag_light(make_network), data, fit, compile_it=True)
    assert "because this failed here: RuntimeError: of the backward pass" in caplog.text
    torch.testing.assert_close(fallen.losses, eager.losses, rtol=2e-4, atol=0)


def test_the_loss_alone_has_a_gradient(make_network: MakeNetwork) -> None:
    """A compiled backward pass takes a tangent for each output that has one."""
    system = reslag_light(make_network)
    forward = system._forward_pass(torch.rand(4, 1, 8, 8), (torch.randn(4, 3),), None)
    assert forward.loss.requires_grad
    outputs = [forward.losses, forward.means.values, *forward.extras.values()]
    assert not any(own.requires_grad for own in outputs)


def test_an_error_of_the_model_itself_is_raised(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = reslag_light(make_network)

    def forward(*_: Tensor) -> Terms:
        raise ArithmeticError("of the objective")

    model.objective.forward = forward  # type: ignore[method-assign, assignment]
    with pytest.raises(ArithmeticError, match="of the objective"):
        trained(model, make_data(), fit, compile_it=True)


@pytest.mark.parametrize(
    ("prior", "still", "small"),
    [
        pytest.param("mixture", "inference", (), marks=pytest.mark.slow),
        pytest.param(
            "flow",
            "inference",
            ("prior.transforms=2", "prior.hidden_features=[8]"),
            marks=pytest.mark.slow,
        ),
        ("flow", "generative", ("prior.transforms=2", "prior.hidden_features=[8]")),
        ("vamp", "generative", ("prior.pseudo_inputs=5",)),
        pytest.param(
            "two_stage", "inference", ("prior.hidden_features=[8]",), marks=pytest.mark.slow
        ),
    ],
)
def test_learned_priors_are_one_graph(
    prior: str, still: Group, small: tuple[str, ...], compose: Compose
) -> None:
    options = ("model=vae", f"prior={prior}", *small, "data=digits", "recipe.channels=[2]")
    system = build_system(compose(*options, "recipe.blocks=[1]", "logger=none"))
    images, noise = torch.rand(6, 1, 28, 28), (torch.randn(6, system.model.latent_dim),)
    compiled = torch.compile(system.terms, fullgraph=True, backend="aot_eager")
    start, found = copy.deepcopy(system.state_dict()), []
    for terms in (system.terms, compiled):
        # Of pseudo-inputs the running averages make the prior, and every update changes these.
        system.load_state_dict(start)
        system.zero_grad()
        torch.manual_seed(0)
        with frozen(*system.group(still)):
            loss = terms(images, noise).loss.mean()
            loss.backward()
        found.append([loss.detach(), *(p.grad for p in system.parameters() if p.requires_grad)])
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-5)
