"""Runs of conditional models: told in every update, loaded, applied and evaluated as told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

import reslag_vae
from reslag_vae import options
from reslag_vae._runtime.errors import ConfigError, UserError
from reslag_vae.apply.told import classes_of, told_of_pictures, told_of_samples
from reslag_vae.data import CelebA
from reslag_vae.evaluation.likeliest import likeliest_classes
from reslag_vae.evaluation.main import evaluate
from reslag_vae.evaluation.metrics import classifier
from reslag_vae.evaluation.pictures.told import changed
from reslag_vae.likelihoods import FixedVariance, Gaussian, Likelihood, SquaredError
from reslag_vae.models import Condition, FlatModel, GenerativeModel
from reslag_vae.objectives import Beta
from reslag_vae.options.condition import named
from reslag_vae.runs.data import load_data, tell_condition
from reslag_vae.runs.formats import read_json
from reslag_vae.training.build import build, measured
from tests.faces import write_faces
from tests.systems import QUICK, TINY
from tests.trainers import silent_trainer

Compose = Callable[..., DictConfig]
Train = Callable[[DictConfig, Path], float]
TOLD = ("condition=label", *TINY, *QUICK)

MODELS = [
    path.stem
    for path in sorted((Path(__file__).parents[3] / "conf" / "model").glob("*.yaml"))
    if "condition: ${condition}" in path.read_text()
]


@pytest.fixture(scope="module")
def run(compose: Compose, train: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "told"
    root = f"data.root={folder.parent}"  # where an evaluation keeps its classifier
    train(compose("model=vae", *TOLD, "callbacks.images=null", root), folder)
    return folder


def test_there_are_conditional_models() -> None:
    assert {"reslag_light", "vae", "optimal_sigma", "lagging", "pixelvae", "f_vae"} <= set(MODELS)


@pytest.mark.parametrize("model", MODELS)
def test_every_flat_model_may_be_told_and_makes_use_of_it(
    model: str, compose: Compose, tmp_path: Path
) -> None:
    small = ("likelihood.channels=4", "likelihood.layers=1") if model == "pixelvae" else ()
    config, data = measured(compose(f"model={model}", *TOLD, *small), tmp_path)
    assert data is not None
    data, system, _ = build(config, tmp_path, data)
    system.train()
    batch = data.split("train")[torch.arange(8)]
    assert isinstance(system.model, FlatModel)
    torch.nn.init.normal_(system.model.shift.weight)
    loss = system.terms(batch.images, labels=batch.labels).loss.mean()
    (gradient,) = torch.autograd.grad(loss, [system.model.shift.weight])
    assert gradient.any()
    noise = tuple(torch.zeros(8, width) for width in system.model.level_dims)
    system.eval()
    losses = [
        system.terms(batch.images, noise, torch.zeros(8, system.model.latent_dim), labels).loss
        for labels in (batch.labels, (batch.labels + 1) % 10)
    ]
    assert not torch.isclose(*losses).any()


def test_a_run_keeps_what_it_is_told(run: Path) -> None:
    model = reslag_vae.load(run)
    assert model.condition == Condition([str(number) for number in range(10)])
    assert model.given("3").sample(2).shape == (2, 1, 28, 28)
    card = (run / "config.yaml").read_text()
    assert "conditions: 10" in card


def test_an_evaluation_is_told_the_classes_of_its_images(
    run: Path, compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier, "STEPS", 10)
    options_ = ("samples=2", "reference=24", "train_images=40", "tsne=0", "logger=none")
    (result,) = evaluate(compose(f"run={run}", f"out={tmp_path}", *options_, script="evaluate"))
    names = {path.stem for path in result.pictures}
    assert {"samples_by_condition", "exchanges", "interpolation"} <= names
    content = read_json(result.file)["numbers"]
    assert 0 <= content["samples"]["told_accuracy"]["value"] <= 1
    bound = content["likelihood"]["importance_weighted_bound"]
    assert "given the class of each image, one of 10" in bound["protocol"]
    frechet = content["samples"]["classifier_frechet_prior"]["protocol"]
    assert "samples of the prior, told what the reference images are, seed" in frechet
    assert "given" not in content["reconstruction"]["pca_rec"]["protocol"]
    assert "given the class" in content["classes"]["linear_probe"]["protocol"]

    model, split = reslag_vae.load(run), result.subject.reference
    rows = torch.arange(len(split))
    means = model.given(split.labels).encode(split[rows].images)
    torch.testing.assert_close(result.subject.codes.means, means, rtol=1e-4, atol=1e-5)


def test_pictures_are_of_their_folder_s_class_or_the_likeliest(run: Path) -> None:
    model = reslag_vae.load(run)
    torch.nn.init.normal_(model.get_submodule("shift").weight)
    assert classes_of(model, ["a/3/x.png", "7/b/y.png", "z.png", "10/z.png"]) == [3, 7, -1, -1]
    images = torch.rand(3, 1, 28, 28)
    told = told_of_pictures(model, images, ["3/a.png", "b.png", "c.png"])
    assert told.conditions is not None
    numbers = told.conditions.argmax(1)
    assert numbers[0] == 3
    assert torch.equal(numbers[1:], likeliest_classes(model, images[1:], None))
    same = told_of_pictures(model, images, ["3/a.png", "b.png", "c.png"], ["5"])
    assert torch.equal(same.encode(images), model.given(5).encode(images))
    samples = told_of_samples(model, ["5"], 3).conditions
    assert samples is not None
    assert samples.argmax(1).tolist() == [5]
    with pytest.raises(UserError, match=r"--given cow: the class .* this is 'cow'"):
        told_of_pictures(model, images, ["a", "b", "c"], ["cow"])
    with pytest.raises(UserError, match="a picture is of one class"):
        told_of_samples(model, ["5", "6"], 3)


def test_the_likeliest_class_has_the_largest_bound(run: Path) -> None:
    model, images = reslag_vae.load(run), torch.rand(4, 1, 28, 28)
    torch.nn.init.normal_(model.get_submodule("shift").weight)
    # With a weight of 0.03 on the KL the squared error is that of a Gaussian of variance 0.015.
    for objective, likelihood in (
        (None, model.likelihood),
        (Beta(beta=0.03 * model.latent_dim), Gaussian(FixedVariance(torch.tensor(0.015)))),
    ):
        model.likelihood = SquaredError() if objective else model.likelihood
        costs = by_bound(model, images, likelihood)
        assert torch.equal(costs.argmin(0), likeliest_classes(model, images, objective))


def by_bound(model: GenerativeModel, images: Tensor, likelihood: Likelihood) -> Tensor:
    """The (10, 4) -ELBO at the mean of four images as of each of ten classes."""
    still = (torch.zeros(4, model.latent_dim),)
    costs = []
    with torch.no_grad():
        for number in range(10):
            inferred, parameters = model.given(number).infer_and_decode(images, still)
            rate = inferred.rate()
            assert rate is not None
            costs.append(likelihood(images, parameters).nll + rate)
    return torch.stack(costs)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("model=biva", "condition=label"), "condition=label: this model takes none"),
        (("model=vq_vae", "condition=label"), "condition=label: this model takes none"),
        (("condition=3",), None),
    ],
)
def test_a_model_that_takes_no_condition_says_so(
    overrides: tuple[str, ...], message: str | None, compose: Compose
) -> None:
    if message is None:
        config = compose("condition=label")
        config.condition = 3
        message = "condition=3: must be none, label or attributes"
    else:
        config = compose(*overrides)
    with pytest.raises(ConfigError, match=message):
        options.check(config)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("condition.names=3", r"condition\.names=3: must be a list"),
        ("network.conditions=4", "network.conditions=4: is the number of names .*, 10; leave it"),
    ],
)
def test_a_condition_of_other_names_is_refused(
    override: str, message: str, compose: Compose, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        measured(compose("model=vae", *TOLD, override), tmp_path)


def test_a_class_whose_name_a_configuration_misreads_is_refused(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load_data(run)
    monkeypatch.setattr(type(data), "class_names", ["cat", "${dog}"])
    with pytest.raises(ConfigError, match=r"the class \$\{dog\} has .* rename it"):
        tell_condition(data, DictConfig({"kind": "label", "names": None}))


def test_a_single_class_is_told_to_be_of_no_use(
    make_data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_data()
    monkeypatch.setattr(type(data), "class_names", ["portrait"])
    with pytest.raises(
        ConfigError,
        match=r"condition=label: all .* are of one class, portrait, which tells a model nothing;",
    ):
        tell_condition(data, DictConfig({"kind": "label", "names": None}))


def test_data_without_classes_or_attributes_say_so(make_data: Any, compose: Compose) -> None:
    data = make_data()
    config = named(compose("model=vae", "condition=label"))
    with pytest.raises(ConfigError, match=r"condition=label: data=.* has no class for each"):
        tell_condition(data, config.condition)
    config.condition.kind = "attributes"
    with pytest.raises(ConfigError, match=r"condition=attributes: data=.* has no attributes"):
        tell_condition(data, config.condition)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "class numbers from 0 to 9 are wanted of all images, and there are none"),
        (torch.arange(3, 11), "class numbers from 0 to 9 are wanted of all images, and one is 10"),
        (torch.zeros(8, 10), r"the \(B,\) class numbers of the images are wanted"),
    ],
)
def test_labels_of_an_own_loader_are_looked_at(
    labels: Tensor | None, message: str, run: Path, compose: Compose
) -> None:
    system = reslag_vae.variants.VAE(reslag_vae.load(run))
    images = torch.zeros(8, 1, 28, 28)
    told = () if labels is None else (labels,)
    loader = DataLoader(TensorDataset(images, *told), 8)
    trainer = silent_trainer(max_epochs=1, num_sanity_val_steps=0)
    with pytest.raises(ValueError, match=message):
        trainer.fit(system, loader, loader)


def test_other_classes_than_those_of_the_run_are_refused(run: Path) -> None:
    data = load_data(run)
    node = DictConfig({"kind": "label", "names": ["a", "b"]})
    with pytest.raises(ConfigError, match=r"condition\.names=.*: are not the classes of the data"):
        tell_condition(data, node)


@pytest.fixture
def faces(tmp_path: Path) -> CelebA:
    write_faces(tmp_path, ["Smiling", "Young", "Hat"])
    data = CelebA(tmp_path, 8, 0.3, 0, size=16)
    data.setup()
    return data


def test_batches_hold_the_attributes_that_a_model_is_told(faces: CelebA) -> None:
    every = faces.attributes("val")
    assert every is not None
    assert faces.tell_attributes(["Hat", "Smiling"]) == ["Hat", "Smiling"]
    batch = next(iter(faces.val_dataloader()))
    assert torch.equal(batch.labels, every[: len(batch.images)][:, [2, 0]])
    assert (faces.split("val").labels == -1).all()  # they are no classes
    assert faces.tell_attributes() == ["Smiling", "Young", "Hat"]
    with pytest.raises(ConfigError, match="there is no Beard among CelebA's attributes"):
        faces.tell_attributes(["Beard"])


def test_a_model_of_attributes_is_trained_and_sampled(
    faces: CelebA, compose: Compose, train: Train, tmp_path: Path
) -> None:
    words = ("data.size=16", "recipe.latent_dim=2", "recipe.channels=[2,4]", "recipe.blocks=[1,1]")
    config = compose(
        "model=vae",
        "data=celeba",
        f"data.root={faces.root}",
        "data.batch_size=8",
        "data.val_fraction=0.3",
        "condition=attributes",
        "condition.names=[Smiling,Hat]",
        "logger=none",
        "trainer.accelerator=cpu",
        *words,
        *QUICK,
    )
    train(config, tmp_path / "run")
    model = reslag_vae.load(tmp_path / "run")
    assert model.given({"Hat": True}).sample(2).shape == (2, 3, 16, 16)
    with pytest.raises(UserError, match="--given, of Smiling, Hat"):
        told_of_samples(model, [], 2)
    told = load_data(tmp_path / "run").split("val").told
    assert told.shape[1] == 2


def test_an_exchange_changes_one_attribute_or_the_class() -> None:
    numbers = torch.tensor([[1.0, 0, 0], [0, 1, 0]])
    assert changed(Condition(["a", "b", "c"]), numbers, 1).tolist() == [[0, 1, 0], [0, 1, 0]]
    attributes = Condition(["a", "b", "c"], "attributes")
    assert changed(attributes, numbers, 1).tolist() == [[1, 1, 0], [0, 0, 0]]
