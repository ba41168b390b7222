"""What every system does: those of all exported variants, with each of the exported schedules.

A new variant joins by being exported, a new schedule and a new model likewise.
"""

import copy
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from lightning import Trainer
from omegaconf import DictConfig
from PIL import Image

import reslag_vae
from reslag_vae import models, variants
from reslag_vae._runtime.errors import UserError
from reslag_vae.apply.request import Request, checked_inputs
from reslag_vae.apply.work import apply
from reslag_vae.data import Digits, ImageDataModule
from reslag_vae.evaluation import importance_weighted_bound
from reslag_vae.latents import CodePosterior
from reslag_vae.latents.noise import normal_rows
from reslag_vae.likelihoods import FixedVariance, Gaussian, Likelihood
from reslag_vae.models import GenerativeModel
from reslag_vae.models.generative import GROUPS, Group
from reslag_vae.runs.build import named_class
from reslag_vae.runs.checkpoints import read_checkpoint
from reslag_vae.runs.folder import PER_IMAGE_FILE, RESULT_FILE, checkpoint_file
from reslag_vae.runs.formats import read_arrays
from reslag_vae.sharing.export import export
from reslag_vae.training import schedules
from reslag_vae.training.build import build_system
from reslag_vae.training.schedules import Schedule
from reslag_vae.training.second_stage import second_stage
from reslag_vae.training.system import BaseVAE
from tests.systems import QUICK, measured
from tests.systems import TINY as OF_ANY_SIZE
from tests.updates import Recorder, gradients, norm

Compose = Callable[..., DictConfig]
Fit = Callable[..., Trainer]
FirstStage = Callable[..., Path]
Train = Callable[[DictConfig, Path], float]

VARIANTS: list[type[BaseVAE]] = [getattr(variants, name) for name in variants.__all__]
SCHEDULES: list[type[Schedule]] = [getattr(schedules, name) for name in schedules.__all__]
MODELS: list[type[GenerativeModel]] = [
    getattr(models, name)
    for name in models.__all__
    if issubclass(getattr(models, name), GenerativeModel)
    and not inspect.isabstract(getattr(models, name))
]

pytestmark = pytest.mark.usefixtures("small_digits")

TINY = (*OF_ANY_SIZE, "recipe.image_shape=[1,8,8]")
# Grids have channels of their own.
TINY_GRID = ("network.channels=[4,8]", "network.blocks=[1,1]")
TINY_TWO_GRIDS = ("network.channels=[4,4,8]", "network.blocks=[1,1,1]")
TINY_HIERARCHY = {
    "ladder_vae": ("network.latent_channels=[1,1]",),
    "biva": ("network.latent_channels=[1,1]",),
    "reslag_deep": (),
    "vdvae": ("network.stage_levels=[1,1,2]", "network.width=4", "network.local_channels=1"),
}
# What second stages begin with, by their names.
FIRST = {
    "fitted_prior": ("model=vae", "recipe.image_shape=[1,8,8]"),
    "code_prior": ("model=vq_vae", "posterior.codes=20", "recipe.image_shape=[1,8,8]", *TINY_GRID),
}
SMALL_PRIOR = {
    "fitted_prior": ("prior.transforms=2", "prior.hidden_features=[8]"),
    "code_prior": ("prior.channels=8", "prior.layers=2"),
}
# A PixelCNN of the usual size and of 256 levels takes minutes.
TINY_PIXELCNN = (
    "likelihood.channels=4",
    "likelihood.pixels=logistic_mixture",
)
# What may be set in a second stage, too.
OF_ANY_STAGE = [own for own in TINY if not own.startswith("recipe.")]
SAMPLES = 1024

each_variant = pytest.mark.parametrize("variant", VARIANTS)


class Trained(NamedTuple):
    """A system after one step, and the folder of its run."""

    system: BaseVAE
    folder: Path

    @property
    def model(self) -> GenerativeModel:
        return self.system.model


def composed(
    variant: type[BaseVAE], compose: Compose, first_stage: FirstStage, *overrides: str
) -> DictConfig:
    """The configuration of a small system of a variant; a second stage begins with a run."""
    name = variant.name
    if name not in FIRST:
        return compose(f"model={name}", *tiny(variant), *overrides)
    run = first_stage(*FIRST[name])
    config = compose(f"model={name}", f"run={run}", *OF_ANY_STAGE, *SMALL_PRIOR[name], *overrides)
    return second_stage(config, overrides, run)


def tiny(variant: type[BaseVAE]) -> tuple[str, ...]:
    """The options of a small system of a variant."""
    if "two_levels" in variant.requires:
        # There are no more codes than images.
        return (*TINY, *TINY_TWO_GRIDS, "posterior.codes=20")
    if "codes" in variant.requires:
        return (*TINY, *TINY_GRID)
    if "hierarchy" in variant.requires:
        return (*TINY, *TINY_HIERARCHY[variant.name])
    if "autoregressive" not in variant.requires:
        return TINY
    layers = 2 if "shared_half" in variant.requires else 1
    return (*TINY, *TINY_PIXELCNN, f"likelihood.layers={layers}")


@pytest.fixture(scope="module", params=VARIANTS)
def trained(
    request: pytest.FixtureRequest,
    compose: Compose,
    first_stage: FirstStage,
    train: Train,
    tmp_path_factory: pytest.TempPathFactory,
) -> Trained:
    """A system of each variant, in evaluation mode."""
    config = composed(request.param, compose, first_stage, *QUICK)
    folder = tmp_path_factory.mktemp("runs") / request.param.name
    train(config, folder)
    system = build_system(config)
    system.load_state_dict(read_checkpoint(checkpoint_file(folder, "best"))["state_dict"])
    return Trained(system.eval().requires_grad_(False), folder)


def digits(batch_size: int) -> ImageDataModule:
    module = Digits("unused", batch_size=batch_size, val_fraction=0.1, seed=0)
    module.setup()
    return module


@pytest.fixture(scope="module")
def data() -> ImageDataModule:
    """The data of the runs, in their minibatches."""
    return digits(128)


@pytest.fixture(scope="module")
def few_at_a_time() -> ImageDataModule:
    return digits(16)


@pytest.fixture(scope="module")
def images(data: ImageDataModule) -> torch.Tensor:
    """(6, 1, 8, 8) uint8."""
    return data.split("val").images[:6]


@each_variant
def test_it_is_composed_by_its_name(
    variant: type[BaseVAE], compose: Compose, first_stage: FirstStage
) -> None:
    system = build_system(composed(variant, compose, first_stage))

    assert type(system) is variant
    assert system.preset == variant.usual
    assert system.titled(system.preset) == variant.title


def test_every_model_is_that_of_a_variant(compose: Compose) -> None:
    first = [variant for variant in VARIANTS if variant.name not in FIRST]
    targets = [compose(f"model={own.name}", *tiny(own)).model.model._target_ for own in first]

    assert set(MODELS) == {named_class(target) for target in targets}


def coded(model: GenerativeModel) -> bool:
    return any("codes" in posterior.provides for posterior in model.posteriors())


def test_it_encodes_and_decodes(trained: Trained, images: torch.Tensor) -> None:
    model, size = trained.model, len(images)
    codes = model.encode(images)
    assert codes.shape == (size, model.latent_dim)
    assert codes.isfinite().all()
    # Of a hardly trained model, some images have the same discrete codes.
    if model.latent_dim and not coded(model):
        assert codes.unique(dim=0).shape[0] == size
    decoded = model.decode(codes)
    assert decoded.shape == (size, *model.image_shape)
    assert decoded.min() >= 0
    assert decoded.max() <= 1
    assert torch.equal(model.reconstruct(images), decoded)
    assert torch.equal(trained.system(images), decoded)


def test_encoding_draws_no_random_number(trained: Trained, images: torch.Tensor) -> None:
    before = torch.get_rng_state()
    codes = trained.model.encode(images)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert torch.equal(trained.model.encode(images), codes)


def test_it_samples(trained: Trained) -> None:
    model = trained.model
    first, again, other = (
        model.sample(9, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert first.shape == (9, *model.image_shape)
    assert first.min() >= 0
    assert first.max() <= 1
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    assert first.unique(dim=0).shape[0] == 9


@each_variant
def test_every_parameter_is_in_one_group_and_reached_by_a_gradient(
    variant: type[BaseVAE], compose: Compose, first_stage: FirstStage, images: torch.Tensor
) -> None:
    system = build_system(composed(variant, compose, first_stage))
    grouped = [id(parameter) for name in GROUPS for parameter in system.group_parameters(name)]
    assert sorted(grouped) == sorted(id(parameter) for parameter in system.parameters())

    system.terms(images).loss.mean().backward()
    for name in trained_groups(system):
        found = gradients(system, name)
        assert all(gradient is not None and gradient.isfinite().all() for gradient in found)
        assert norm(found) > 0


def trained_groups(system: BaseVAE) -> set[Group]:
    """Those with parameters: a model without latents has nothing to infer.

    In a second stage that which infers stands still.
    """
    return {
        name for name in GROUPS if any(own.requires_grad for own in system.group_parameters(name))
    }


def is_taken(variant: type[BaseVAE], schedule: type[Schedule]) -> bool:
    """Whether it provides what the variant requires of schedules."""
    offered = frozenset().union(*(each.provides for each in SCHEDULES))
    return variant.requires & offered <= schedule.provides


@each_variant
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_an_update_changes_its_groups_and_nothing_of_the_others(
    variant: type[BaseVAE],
    schedule: type[Schedule],
    compose: Compose,
    first_stage: FirstStage,
    few_at_a_time: ImageDataModule,
    fit: Fit,
) -> None:
    config = composed(variant, compose, first_stage, f"schedule={schedule.name}")
    if not is_taken(variant, schedule):
        message = f"model={variant.name} does not take schedule={schedule.name}; it takes schedule="
        with pytest.raises(ValueError, match=message):
            build_system(config)
        return
    system = build_system(config)
    before = {name: value.clone() for name, value in system.named_parameters()}
    recorder = Recorder(system)
    trainer = fit(system, few_at_a_time, limit_train_batches=1, limit_val_batches=1)

    groups = trained_groups(system)
    moved = [groups & set(update.groups) for _, update in recorder.updates]
    if "generative_alone" not in schedule.provides:
        assert set().union(*moved) == groups
    assert recorder.changed == recorder.differentiated == moved
    learnt = set(
        map(id, [own for name in set().union(*moved) for own in system.group_parameters(name)])
    )
    for name, own in system.named_parameters():
        assert torch.equal(own, before[name]) == (id(own) not in learnt), name
    assert trainer.callback_metrics["val/loss"].isfinite()


def density_of(system: BaseVAE) -> Likelihood:
    """The density that evaluations use; where training implies none, a Gaussian."""
    own = system.model.likelihood.evaluated(system.objective.kl_weight(system.model.latent_dim))
    return Gaussian(FixedVariance(0.05)) if own is None else own


def far_from_its_prior(model: GenerativeModel, pixels: torch.Tensor) -> GenerativeModel:
    """The model with weights of inference so large that the KL is about a nat or more."""
    copied = copy.deepcopy(model)
    parameters = [p for module in copied.groups()["inference"] for p in module.parameters()]
    for _ in range(120):
        rate = copied.infer(pixels).rate()
        if rate is not None and rate.mean() < 1:
            torch._foreach_mul_(parameters, 1.05)
    return copied


def test_its_importance_weighted_bound_is_at_least_its_elbo(
    trained: Trained, images: torch.Tensor
) -> None:
    """The ELBO is by the KL of inference, the bound by densities alone."""
    likelihood = density_of(trained.system).eval()
    # A pass of a PixelCNN costs a hundred times as much as one of another decoder.
    images = images[: 2 if trained.model.top_down else 6] if likelihood.has_mean else images[:1]
    pixels = images / 255
    if not trained.model.latent_dim:
        latents = trained.model.parameters_at(trained.model.encode(images))
        exact = likelihood.log_prob(pixels, latents).double()
        for bound in importance_weighted_bound(trained.model, images, 3, likelihood):
            torch.testing.assert_close(bound, exact)
        return
    model = far_from_its_prior(trained.model, pixels)
    if model.deterministic:
        with pytest.raises(ValueError, match="needs a posterior with a density"):
            importance_weighted_bound(model, images, 2, likelihood)
        return
    # Of codes there is one sample, and every level of a hierarchy costs a pass.
    samples = 2 if coded(model) else SAMPLES // 4 if model.top_down else SAMPLES
    # That of the bound, so that the two differ by nothing but the KL.
    noise = normal_rows(len(images) * samples, model.latent_dim, torch.Generator().manual_seed(0))
    inferred = model.infer(pixels, model.levels(noise))
    parameters = model.parameters_at(inferred.code)
    fit = likelihood.log_prob(pixels.repeat_interleave(samples, 0), parameters).double()
    rate = inferred.rate()
    assert rate is not None
    assert coded(model) or 1 <= rate.mean() < 40
    elbo = (fit - rate.double()).view(-1, samples).mean(1)
    bounds = importance_weighted_bound(model, images, samples, likelihood)
    error = 5 * inferred.log_ratio().double().view(-1, samples).std(1) / samples**0.5
    error = error + 1e-6 * elbo.abs()  # of rounding, where the samples are all the same
    assert ((bounds.elbo - elbo).abs() <= error).all()
    assert (bounds.importance_weighted >= elbo - error).all()
    assert (error < rate.view(-1, samples).mean(1)).all()


def test_it_is_loaded_and_exported_with_the_same_numbers(
    trained: Trained, data: ImageDataModule, images: torch.Tensor, tmp_path: Path
) -> None:
    export(trained.folder, tmp_path / "exported")
    random = torch.get_rng_state()
    codes = trained.model.encode(images)
    decoded = trained.model.decode(codes)
    samples = trained.model.sample(4, torch.Generator().manual_seed(3))
    for folder in (trained.folder, tmp_path / "exported"):
        loaded = reslag_vae.load(folder)
        assert type(loaded) is type(trained.model)
        assert not loaded.training
        assert torch.equal(loaded.encode(images), codes)
        assert torch.equal(loaded.decode(codes), decoded)
        assert torch.equal(loaded.sample(4, torch.Generator().manual_seed(3)), samples)
    assert torch.equal(torch.get_rng_state(), random)
    kept = json.loads((trained.folder / RESULT_FILE).read_text())
    trained.system.train_mse.fill_(kept["yardstick_sigma2"])
    # In smaller batches than the run's own, whose sums round otherwise.
    for name, value in measured(trained.system, data.in_order("test")).items():
        assert kept["test"][name] == pytest.approx(value, rel=1e-5), name
    arrays = read_arrays(trained.folder / PER_IMAGE_FILE)
    assert ("nll" in arrays) == trained.model.likelihood.discrete
    if "nll" in arrays:
        elbo = -(arrays["nll"] + arrays["kl"]).mean()
        assert kept["test"]["elbo"] == pytest.approx(elbo, rel=1e-5)


def test_it_is_applied_to_pictures(trained: Trained, images: torch.Tensor, tmp_path: Path) -> None:
    """Codes of every level, reconstructions, scores, neighbours and samples."""
    model, pictures = trained.model, tmp_path / "pictures"
    pictures.mkdir()
    for number, image in enumerate(images[:3]):
        Image.fromarray(image[0].numpy()).save(pictures / f"{number}.png")
    scored = Request(
        trained.folder, [pictures], score=tmp_path / "s.npz", sample=2, out=tmp_path / "out"
    )
    asked = scored._replace(
        encode=tmp_path / "c.npz", reconstruct=tmp_path / "rec", neighbours=2, overwrite=True
    )
    if not model.latent_dim:
        with pytest.raises(UserError, match="the model has no latents"):
            apply(asked, checked_inputs(asked))
        asked = scored
    apply(asked, checked_inputs(asked))
    with np.load(tmp_path / "s.npz") as scores:
        assert ("minus_log_p_nats" in scores) == (not model.deterministic)
        assert "squared_error_percentile" in scores
        assert all(np.isfinite(scores[name]).all() for name in scores if name != "file")
    assert len(list((tmp_path / "out" / "samples_prior").iterdir())) == 2
    if not model.latent_dim:
        return
    assert {path.name for path in (tmp_path / "rec").glob("?.png")} == {"0.png", "1.png", "2.png"}
    with np.load(tmp_path / "c.npz") as file:
        codes = {name: file[name] for name in file if name != "file"}
    assert len(codes) == len(model.level_dims)
    if not coded(model):
        found = torch.from_numpy(np.concatenate(list(codes.values()), axis=1))
        torch.testing.assert_close(found, model.encode(images[:3]), rtol=1e-4, atol=1e-5)
        return
    posteriors = [own for own in model.posteriors() if isinstance(own, CodePosterior)]
    numbers = [torch.from_numpy(own) for own in codes.values()]
    levels = [own.latents_of(part) for own, part in zip(posteriors, numbers, strict=True)]
    torch.testing.assert_close(torch.cat(levels, 1), model.encode(images[:3]))
