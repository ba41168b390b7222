"""Models and pictures from folders: runs, exports, and those that do not fit."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig
from PIL import Image

from reslag_vae._runtime.errors import UserError
from reslag_vae.apply import subject as subject_module
from reslag_vae.apply.inputs import find_inputs
from reslag_vae.apply.subject import Subject
from reslag_vae.explore import pictures as pictures_module
from reslag_vae.explore.pictures import names_of, pictures_of_files
from reslag_vae.explore.request import Request
from reslag_vae.explore.told import conditions_of
from reslag_vae.explore.work import read_explorers
from reslag_vae.models import GenerativeModel
from reslag_vae.networks import Network
from reslag_vae.options.condition import named
from reslag_vae.runs.data import load_data
from reslag_vae.runs.hub import HubAddress
from reslag_vae.runs.picture_format import PictureFormat
from reslag_vae.sharing.export import export
from reslag_vae.training.build import build_system
from tests.systems import TINY, make_model

FirstStage = Callable[..., Path]


@pytest.fixture(scope="module")
def run(first_stage: FirstStage) -> Path:
    return first_stage("model=vae")


@pytest.fixture
def saved(tmp_path: Path, make_network: Callable[..., Network]) -> Path:
    """A model of 1x8x8 pictures that was saved by itself."""
    make_model(make_network()).save(tmp_path / "saved")
    return tmp_path / "saved"


def test_a_run_is_shown_with_its_own_pictures(run: Path) -> None:
    ((subject, explorer),) = read_explorers(Request([run], split="test", most=20), None)
    pictures = explorer.pictures
    assert pictures.images.shape == (20, 1, 28, 28)
    assert pictures.source == "20 of the 180 test pictures of digits"
    assert pictures.label(0) in list("0123456789")
    assert pictures.names[0] == "test 1"
    assert pictures.notes == []
    torch.testing.assert_close(explorer.codes.means, subject.model.encode(pictures.images))


def test_where_validation_is_small_the_other_pictures_are_shown_beside_it(run: Path) -> None:
    ((_, explorer),) = read_explorers(Request([run], most=300), None)
    pictures = explorer.pictures
    assert pictures.size == 300
    assert pictures.source == "300 of the 1,797 pictures of digits: 162 val, 16 test, 122 train"
    assert pictures.trained is not None
    assert pictures.trained.tolist() == [False] * 178 + [True] * 122
    assert [pictures.names[place] for place in (0, 161, 162, 178)] == [
        "val 1",
        "val 162",
        "test 1",
        "train 12",
    ]
    assert any("Hollow points" in note for note in pictures.notes)
    data = load_data(run)
    assert torch.equal(pictures.images[0], data.split("val")[torch.tensor([0])].images[0])
    assert torch.equal(pictures.images[-1], data.split("train")[torch.tensor([1454])].images[0])


def test_pictures_of_a_folder_are_shown_by_their_files_and_splits() -> None:
    class Named:
        def names(self, split: str) -> list[str]:
            return {"val": ["b/1.png"], "train": ["a/1.png", "a/2.png"]}[split]

    chosen = {"val": torch.tensor([0]), "train": torch.tensor([1])}
    assert names_of(Named(), chosen) == ["b/1.png (val)", "a/2.png (train)"]


def test_data_that_have_changed_are_told(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures_module, "changes", lambda folder, inventory: "val had 3 images")
    ((_, explorer),) = read_explorers(Request([run], most=4), None)
    assert explorer.pictures.notes == [
        "The data are not those that the run was trained with: val had 3 images"
    ]


def test_an_export_is_shown_with_its_examples(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "exported")
    ((_, explorer),) = read_explorers(Request([tmp_path / "exported"]), None)
    assert explorer.pictures.size == 8
    assert "--pictures gives more" in explorer.pictures.notes[0]
    (_, both) = read_explorers(Request([tmp_path / "exported", run]), None)
    assert both[1].pictures.images.shape == (8, 1, 28, 28)


def test_pictures_of_files_have_their_folders_as_classes(saved: Path, tmp_path: Path) -> None:
    for name in ("cats/a.png", "cats/b.png", "dogs/c.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 9), "red").save(tmp_path / "photos" / name)
    (tmp_path / "photos" / "dogs" / "d.png").write_text("no picture")
    inputs = find_inputs([tmp_path / "photos"])
    ((_, explorer),) = read_explorers(Request([saved]), inputs)
    pictures = explorer.pictures
    assert list(pictures.names) == ["cats/a.png", "cats/b.png", "dogs/c.png"]
    assert [pictures.label(place) for place in range(3)] == ["cats", "cats", "dogs"]
    assert any("dogs/d.png" in note for note in pictures.notes)
    assert list(explorer.vectors) == ["cats", "dogs"]


def test_a_conditional_model_is_told_the_folders_of_files(
    tmp_path: Path, compose: Callable[..., DictConfig]
) -> None:
    config = named(compose("model=vae", "condition=label", *TINY), ["cat", "dog"])
    model = build_system(config).model.eval()
    subject = Subject(model, None, tmp_path, PictureFormat())
    for name in ("test/dog/a.png", "test/cat/b.png", "train/dog/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 12), "red").save(tmp_path / name)
    (tmp_path / "test" / "broken.png").write_text("no picture")
    for given, classes in (
        ([tmp_path / "test" / "dog"], [1]),
        ([tmp_path / "test"], [0, 1]),
        ([tmp_path], [0, 1, 1]),
    ):
        pictures = pictures_of_files(subject, find_inputs(given), 10)
        told = conditions_of(model, pictures, None)
        assert told is not None
        assert told.argmax(1).tolist() == classes


def test_pictures_of_an_unknown_scale_are_refused(saved: Path, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.new("I;16", (8, 8), 4000).save(tmp_path / name)
    inputs = find_inputs([tmp_path / "a.png", tmp_path / "b.png"])
    with pytest.raises(UserError, match="have no value above 4000 of 65535"):
        read_explorers(Request([saved]), inputs)


def test_what_cannot_be_shown_is_told_in_a_sentence(
    run: Path, saved: Path, first_stage: FirstStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="saved has no pictures of its own: name some by --pict"):
        read_explorers(Request([saved]), None)
    with pytest.raises(UserError, match=r"saved takes images of 1 x 8 x 8, and .*: models side by"):
        read_explorers(Request([run, saved]), None)
    with pytest.raises(UserError, match=r"own pictures cannot be read \(without lightning\)"):
        read_without_lightning(run, monkeypatch)


def read_without_lightning(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import reslag_vae.runs.data as data

    def missing(*_: object, **__: object) -> None:
        raise ImportError("no module", name="lightning")

    monkeypatch.setattr(data, "load_data", missing)
    read_explorers(Request([run]), None)


def test_a_model_without_latents_has_nothing_to_explore(
    pixelcnn: GenerativeModel, tmp_path: Path
) -> None:
    pixelcnn.save(tmp_path / "pixels")
    with pytest.raises(UserError, match="no latents, so it has no codes to explore; `reslag apply"):
        read_explorers(Request([tmp_path / "pixels"]), None)


@pytest.mark.parametrize("kind", ["no picture", "cut short", "of another height", "too many"])
def test_damaged_examples_of_an_export_are_one_sentence(
    kind: str, run: Path, tmp_path: Path
) -> None:
    export(run, tmp_path / "exported")
    path = tmp_path / "exported" / "examples.png"
    if kind == "no picture":
        path.write_bytes(b"no picture")
    elif kind == "cut short":
        path.write_bytes(path.read_bytes()[:-300])
    else:
        size = (28, 20) if kind == "of another height" else (28 * 9, 28)
        Image.new("L", size).save(path)
    with pytest.raises(UserError, match=r"examples\.png is damaged: ") as refused:
        read_explorers(Request([tmp_path / "exported"]), None)
    assert "\n" not in str(refused.value)


def test_an_export_on_the_hub_is_downloaded_and_shown_with_its_examples(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def download(address: HubAddress) -> Path:
        asked.append(str(address))
        return tmp_path / "exported"

    export(run, tmp_path / "exported")
    monkeypatch.setattr(subject_module, "download", download)
    request = Request([HubAddress("user/name")])
    ((_, explorer),) = read_explorers(request, None)
    assert asked == ["hf://user/name"]
    assert explorer.title == "hf://user/name"
    assert explorer.pictures.size == 8
    with pytest.raises(UserError, match=r"--split: hf://user/name is no run"):
        read_explorers(request._replace(split="test"), None)
