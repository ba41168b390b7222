"""What a served page shows, against the explorers' own images."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from reslag_vae._runtime.errors import UserError
from reslag_vae.apply.subject import Subject
from reslag_vae.explore.explorer import Explorer
from reslag_vae.explore.panels import NOTHING, OWN_CLASS, STRENGTHS, Panels
from reslag_vae.runs.picture_format import PictureFormat


@pytest.fixture
def panels(small: Explorer) -> Panels:
    """The panels of one model, shown twice."""
    subject = Subject(small.model, None, Path("unused"), PictureFormat())
    other = Explorer("<other>", small.model, small.pictures)
    return Panels([(subject, small), (subject, other)])


def images_of(text: str) -> Tensor:
    """The (N, 1, H, W) images in HTML."""
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    pixels = [np.asarray(Image.open(io.BytesIO(base64.b64decode(own)))) for own in found]
    return torch.from_numpy(np.stack(pixels))[:, None]


def test_a_picture_is_shown_beside_what_every_model_makes_of_it(panels: Panels) -> None:
    first, _ = panels.explorers
    text = panels.picked(panels.item(5))
    own = first.image(first.codes.means[5])
    expected = torch.stack([panels.pictures.images[5], own, own])
    assert torch.equal(images_of(text), expected)
    assert "picture 5: &lt;b&gt;long" in text
    assert "decoded by &lt;other&gt;" in text


def test_neighbours_are_buttons(panels: Panels) -> None:
    text = panels.neighbours(0, panels.item(5))
    found = [int(own) for own in re.findall(r'data-position="(\d+)"', text)]
    assert found == panels.explorers[0].all_neighbours(12)[5].tolist()
    assert torch.equal(images_of(text), panels.pictures.images[found])


def test_sliders_at_their_places_decode_the_reconstruction(panels: Panels) -> None:
    item = panels.item(3)
    text = panels.moved(1, item, [*panels.starts(1, item), 0.0, 0.0])
    assert torch.equal(images_of(text), images_of(panels.reconstructed(1, item)))


def test_a_slider_leaves_the_places_that_others_cannot_show(
    panels: Panels, monkeypatch: pytest.MonkeyPatch
) -> None:
    explorer, item = panels.explorers[0], panels.item(3)
    far = explorer.moved(explorer.points[3], {0: 4.2, 2: 0.013})
    monkeypatch.setattr(panels, "point", lambda *_: far)
    starts = panels.starts(0, item)
    assert (starts[0], starts[2]) == (3.0, 0.0)
    found = images_of(panels.moved(0, item, [starts[0], -1.0, starts[2]]))
    assert torch.equal(found[0], explorer.image(explorer.moved(far, {1: -1.0})))


def test_a_map_and_its_pictures_are_json(panels: Panels) -> None:
    found = json.loads(panels.map(0, "two axes", 1, 0))
    places = np.array(found["places"])
    assert places.shape == (40, 2)
    assert places.min() == 0
    assert places.max() == 1
    assert json.loads(panels.sheet())["width"] == 8
    assert "<" not in panels.map(0, "PCA")


def test_paths_ask_for_as_many_pictures_as_they_need(panels: Panels) -> None:
    items = [panels.item(place) for place in range(4)]
    assert panels.between(items[:1], 2) == "<p>Pick 1 more picture on the map.</p>"
    assert panels.between(items[:1], 4) == "<p>Pick 3 more pictures on the map.</p>"
    assert panels.between(items, 2).count("<h3>") == 3
    assert panels.between(items, 4).count("<img") == 4 + 2


def test_a_sum_takes_the_own_class_away(panels: Panels) -> None:
    first, item = panels.explorers[0], panels.item(0)
    code = first.codes.means[0]
    for take, away in ((OWN_CLASS, "round"), (NOTHING, None), ("old", "old")):
        images = first.arithmetic(code, "square", away, STRENGTHS)
        assert torch.equal(images_of(panels.sum(item, "square", take))[: len(images)], images)
    # An attribute is added to a class, not exchanged for it.
    images = first.arithmetic(code, "smiling", None, STRENGTHS)
    assert torch.equal(images_of(panels.sum(item, "smiling", OWN_CLASS))[: len(images)], images)


def test_samples_fill_a_grid(panels: Panels) -> None:
    assert panels.samplers == ["prior", "mixture"]
    text = panels.samples("prior", 3, 1.0, 7)
    assert images_of(text).shape == (2, 1, 9, 27)
    drawn = panels.explorers[0].samples("prior", 3, 1.0, 7)
    assert torch.equal(images_of(text)[0, :, :8, 9:17], drawn[1])


def test_a_picture_from_elsewhere_is_fitted_and_encoded(panels: Panels, tmp_path: Path) -> None:
    path = tmp_path / "own.png"
    Image.fromarray(panels.pictures.images[7, 0].numpy()).save(path)
    item = panels.brought(path)
    assert item.name == "own.png"
    assert torch.equal(item.image, panels.pictures.images[7])
    # It is no picture of the map, and so its twin there is its nearest.
    assert 'data-position="7"' in panels.neighbours(0, item).partition("</button>")[0]
    Image.new("I;16", (8, 8), 4000).save(tmp_path / "dark.png")
    with pytest.raises(UserError, match=r"no value above 4000 of 65535 \(dark\.png has it\)"):
        panels.brought(tmp_path / "dark.png")
    (tmp_path / "bad.png").write_text("no picture")
    with pytest.raises(UserError, match=r"bad\.png cannot be read: ") as raised:
        panels.brought(tmp_path / "bad.png")
    assert str(tmp_path) not in str(raised.value)
