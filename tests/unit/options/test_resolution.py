"""Options that still need a value."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.options.resolution import resolved
from tests.running import ROOT


@pytest.mark.parametrize(
    "path", sorted((ROOT / "conf/data").glob("*.yaml")), ids=lambda path: path.stem
)
def test_what_an_option_of_the_data_needs_is_said_by_their_name(path: Path) -> None:
    target = OmegaConf.load(path).data._target_
    config = OmegaConf.create({"data": {"_target_": target}, "recipe": {"ratio": "???"}})
    with pytest.raises(ConfigError, match=rf"^data={path.stem} needs recipe\.ratio=\.\.\.\.$"):
        resolved(config)
