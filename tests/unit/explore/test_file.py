"""The file without a server: whole in itself, and with the images that it says it shows."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from reslag_vae.explore import contents as module
from reslag_vae.explore.contents import QUICK, Plan, contents, run_contents, starts_of
from reslag_vae.explore.explorer import Explorer
from reslag_vae.explore.file import page_of, write_file
from reslag_vae.explore.pictures import Pictures
from reslag_vae.explore.sheets import COLUMNS, sheet_of


@pytest.fixture(autouse=True)
def plan(monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A plan of few images."""
    values = (-2.0, 0.0, 1.0)
    few = QUICK._replace(starts=4, values=values, side=3, steps=4, samples=2, temperatures=(1.0,))
    monkeypatch.setattr(module, "QUICK", few)
    return few


class Page(HTMLParser):
    """The tags of a page, the texts of its scripts and the values of its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.values: dict[str, str] = {}
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values |= {name: value or "" for name, value in attrs if name in ("src", "href")}
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] == ["script"]:
            self.scripts[-1] += data


def images_of(sheet: dict[str, Any], count: int) -> np.ndarray:
    """The (count, H, W) first images of a sheet in grey."""
    content = base64.b64decode(sheet["uri"].removeprefix("data:image/png;base64,"))
    pixels = np.asarray(Image.open(io.BytesIO(content)))
    width, height, columns = sheet["width"], sheet["height"], sheet["columns"]
    rows = pixels.reshape(-1, height, columns, width).transpose(0, 2, 1, 3)
    return rows.reshape(-1, height, width)[:count]


def test_a_file_asks_for_nothing_and_holds_any_name(small: Explorer, tmp_path: Path) -> None:
    names = ["</script><img src=x>", "@DATA@", "@SCRIPT@", *small.pictures.names[3:]]
    pictures = small.pictures._replace(names=names)
    explorer = Explorer("<i>a</i> & b", small.model, pictures)
    write_file(tmp_path / "page.html", [explorer, explorer])
    text = (tmp_path / "page.html").read_text()
    page = Page(text)
    assert page.values == {}
    assert not re.search(r"https?:", text)
    assert "@import" not in text
    assert "url(" not in text
    assert "img" not in page.tags
    found = json.loads(page.scripts[0])
    assert found["names"] == names
    assert [run["title"] for run in found["runs"]] == ["<i>a</i> & b"] * 2
    uris = re.findall(r'"uri":"(.{22})', text)
    assert set(uris) == {"data:image/png;base64,"}
    assert len(uris) == 1 + 2 * 7


def test_every_kind_of_model_has_a_file(explorer: Explorer) -> None:
    json.loads(Page(page_of(contents([explorer]))).scripts[0])


def test_a_file_of_a_slow_model_has_few_images(
    slow: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []

    def images(codes: torch.Tensor) -> torch.Tensor:
        decoded.append(len(codes))
        return torch.zeros(len(codes), 1, 28, 28, dtype=torch.uint8)

    monkeypatch.setattr(slow, "images", images)
    found = run_contents(slow)
    assert sum(decoded) < 60
    assert found["plane"] is None
    assert found["square"] is None
    assert "pixel after pixel" in found["notes"][0]


def test_its_images_are_the_explorers(small: Explorer, plan: Plan) -> None:
    found = run_contents(small)
    starts, values = found["starts"], plan.values
    images = images_of(found["sliders"]["images"], 4 * 3 * len(values))
    code = small.codes.means[starts[2]]
    expected = small.traverse(code, 1, values)[:, 0].numpy()
    place = (2 * 3 + 1) * len(values)
    assert np.array_equal(images[place : place + len(values)], expected)
    # The upper right corner of the plane: both axes at their largest value.
    side = plan.side
    corner = images_of(found["plane"]["images"], 3 * side**2)[2 * side**2 + side - 1]
    assert np.array_equal(corner, small.image(small.moved(code, {0: 2.5, 1: 2.5}))[0].numpy())
    pair = found["lines"]["pairs"].index((1, 3))
    line = images_of(found["lines"]["images"], 6 * plan.steps)[pair * plan.steps :]
    ends = small.images(small.codes.means[[starts[1], starts[3]]])[:, 0].numpy()
    assert np.array_equal(line[[0, plan.steps - 1]], ends)
    name = found["sums"]["names"].index("square")
    place = (1 * 5 + name) * len(plan.strengths)
    own = small.pictures.label(starts[1])
    expected = small.arithmetic(small.codes.means[starts[1]], "square", own, plan.strengths)
    sums = images_of(found["sums"]["images"], place + len(plan.strengths))
    assert np.array_equal(sums[place:], expected[:, 0].numpy())


def test_starts_are_of_different_classes(small: Explorer) -> None:
    starts = starts_of(small.pictures, 5).tolist()
    assert len(set(starts)) == 5
    assert set(small.pictures.labels[starts[:3]].tolist()) == {0, 1, 2}
    one = Pictures(small.pictures.images[:1], ["one"], torch.tensor([-1]))
    assert starts_of(one, 5).tolist() == [0]


@pytest.mark.parametrize("count", [1, COLUMNS - 1, COLUMNS + 3])
def test_a_sheet_holds_its_images(count: int) -> None:
    images = torch.randint(256, (count, 1, 5, 4), dtype=torch.uint8)
    found = images_of(sheet_of(images)._asdict(), count)
    assert np.array_equal(found, images[:, 0].numpy())


def test_a_sheet_of_photographs_is_small_and_looks_the_same() -> None:
    coarse = torch.rand(COLUMNS + 3, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(255 * coarse, size=(36, 44), mode="bicubic")
    grain = 4 * torch.randn(smooth.shape, generator=torch.Generator().manual_seed(1))
    images = (smooth + grain).clamp(0, 255).byte()
    sheet = sheet_of(images)
    kind, content = sheet.uri.split(";base64,")
    assert kind == "data:image/jpeg"
    with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
        first = np.asarray(picture)[: sheet.height, : sheet.width].astype(int)
    assert np.abs(first - images[0].permute(1, 2, 0).numpy()).mean() < 4
    assert len(sheet.uri) < images.numel() / 3


def test_a_sheet_may_be_of_noise() -> None:
    # Pillow's JPEG in one piece (optimize, progressive) has too little room for it.
    images = torch.randint(256, (64, 3, 64, 64), dtype=torch.uint8)
    assert sheet_of(images).uri.startswith("data:image/jpeg;")


def test_a_sheet_of_drawings_in_colour_is_exact() -> None:
    images = torch.zeros(40, 3, 16, 16, dtype=torch.uint8)
    images[:, 0, 3:7] = 255
    assert sheet_of(images).uri.startswith("data:image/png;")


def test_large_images_are_reduced() -> None:
    images = torch.full((2, 3, 100, 50), 7, dtype=torch.uint8)
    sheet = sheet_of(images, 64)
    assert (sheet.width, sheet.height) == (32, 64)
