"""What the arguments of `fit` ask for."""

from pathlib import Path

import numpy as np
import pytest

from reslag_vae.data import Arrays
from reslag_vae.interface.arguments import asked

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)


@pytest.mark.parametrize(
    "values", [np.array(["owl", "cat", "dog"]), np.array([3, 5, 7])], ids=["names", "numbers"]
)
def test_a_file_of_arrays_is_what_it_is_on_the_command_line(
    values: np.ndarray, tmp_path: Path
) -> None:
    path, kept = tmp_path / "images.npz", tmp_path / "kept.npz"
    np.savez(path, images=PIXELS, labels=values[np.arange(40) % 3], validation=np.array(8))
    data = asked(str(path), (), {"model": "vae"}).data
    assert isinstance(data, Arrays)
    data.keep(kept)
    own = Arrays(folder=path)
    assert own.classes == sorted(map(str, values))
    for other in (data, Arrays(folder=kept)):
        for module in (own, other):
            module.setup()
        assert other.class_names == own.class_names
        assert other.inventory.images == {"train": 29, "val": 8, "test": 3}
        assert other.inventory.digests == own.inventory.digests
