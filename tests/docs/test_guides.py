"""The guides' code works: each part of one's own trains."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from reslag_vae._runtime.terminal import quoted
from reslag_vae.evaluation import importance_weighted_bound
from reslag_vae.training.build import build
from tests.docs.pages import DOCS, ROOT, blocks, commands
from tests.systems import QUICK

GUIDES = sorted(page.stem for page in (DOCS / "guides").glob("*.md") if page.stem != "index")
SMALL = ("trainer.accelerator=cpu", "logger=none", *QUICK)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for the files of a guide, in which Python finds its modules."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_parts"]:
        del sys.modules[name]


@pytest.mark.parametrize("guide", GUIDES)
def test_a_part_of_ones_own_trains(guide: str, project: Path) -> None:
    page = DOCS / "guides" / f"{guide}.md"
    titled = [block for block in blocks(page) if block.title]
    assert {block.language for block in titled} == {"python", "yaml"}
    for block in titled:
        place = project / block.title
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(block.text)
    importlib.invalidate_caches()
    (command,) = [words for words in commands(page) if words[0] == "reslag"]
    words = command[4:]  # after reslag train --config-dir my_conf
    place = quoted(f"file://{project / 'my_conf'}")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", [*words, *SMALL, f"hydra.searchpath=[{place}]"])
    data, system, trainer = build(config, project / "run")
    trainer.fit(system, data)
    assert data.inventory.notes == []  # nothing that would surprise who follows the guide
    images = next(iter(data.in_order("test"))).images[:4]
    samples = system.model.sample(2)
    assert samples.shape == (2, *system.model.image_shape)
    assert system.images_seen > 0
    bound = importance_weighted_bound(system.model, images, samples=4)
    assert bound.importance_weighted.isfinite().all()
