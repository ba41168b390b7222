"""An epoch on as many images as CelebA has.

Run as a script, this trains it and prints the memory that it took.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from reslag_vae.data import ImageDataModule, Images
from reslag_vae.data.images import Source

ROOT = Path(__file__).parents[2]
CELEBA = 202_599


class Large(ImageDataModule):
    """Of CelebA's full size, in a file of holes that takes no room; a few pictures are noise."""

    name, image_shape = "large", (3, 64, 64)

    def read(self) -> Source:
        path, shape = self.root / "images.npy", (CELEBA, 64, 64, 3)
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": "|u1", "fortran_order": False, "shape": shape}
            )
            file.truncate(file.tell() + CELEBA * 64 * 64 * 3)
        pixels = np.load(path, mmap_mode="c")
        pixels[::10_000] = np.random.default_rng(0).integers(
            256, size=pixels[::10_000].shape, dtype=np.uint8
        )
        store = torch.from_numpy(pixels).permute(0, 3, 1, 2)
        return Source(Images(store, torch.full((CELEBA,), -1)), None, None, [])


def own_memory() -> float:
    """MB that the process itself holds, without the pages of files."""
    (line,) = [
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("RssAnon")
    ]
    return int(line.split()[1]) / 1024


@pytest.mark.slow
def test_an_epoch_on_as_many_images_as_celeba_has_takes_no_memory_of_its_own(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, __file__, tmp_path],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["images_seen"] == result["train"] > 180_000
    # 2,490 MB of images.
    assert result["grown"] < 500, result


def main(root: Path) -> None:
    from lightning import Trainer

    from reslag_vae.likelihoods import Gaussian, OptimalVariance
    from reslag_vae.models import FlatModel
    from reslag_vae.networks import PlainNetwork
    from reslag_vae.objectives import ELBO
    from reslag_vae.variants import OptimalSigmaVAE

    torch.set_num_threads(1)
    data = Large(root, batch_size=512, val_fraction=0.01, seed=0)
    network = PlainNetwork((3, 64, 64), 4, [2, 2], [1, 1])
    model = OptimalSigmaVAE(FlatModel(network, Gaussian(OptimalVariance((3, 64, 64)))), ELBO())
    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        use_distributed_sampler=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=1,
    )
    before = own_memory()
    trainer.fit(model, data)
    grown = own_memory() - before
    print(
        json.dumps(
            {"images_seen": model.images_seen, "train": len(data.split("train")), "grown": grown}
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
