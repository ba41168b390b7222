"""What the arguments of `fit` ask for."""

from pathlib import Path

import numpy as np
import pytest

from reslag_vae.data import Arrays, DataError
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


@pytest.mark.parametrize("in_file", [False, True])
def test_labels_beside_validation_images_may_be_an_array(in_file: bool, tmp_path: Path) -> None:
    path = tmp_path / "images.npy"
    np.save(path, PIXELS)
    pair = (PIXELS[:6], np.array([0, 1, 0, 1, 0, 1]))
    pictures = str(path) if in_file else PIXELS
    data = asked(pictures, (), {"model": "vae"}, validation=pair, labels=np.arange(40) % 2).data
    assert data is not None
    data.setup()
    assert data.split("val").labels.tolist() == [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize("validation", [0.2, PIXELS[:6]], ids=["fraction", "images"])
def test_a_file_with_a_split_of_its_own_takes_no_other(
    validation: float | np.ndarray, tmp_path: Path
) -> None:
    np.savez(tmp_path / "images.npz", images=PIXELS, validation=np.array(8))
    with pytest.raises(DataError, match=r"^validation: the file of the images has a split"):
        asked(str(tmp_path / "images.npz"), (), {"model": "vae"}, validation=validation)
