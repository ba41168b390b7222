"""Train a GAN as the yardstick of sharpness: the generator is a VAE's decoder.

Usage: python -m benchmarks.gan --minutes 60 data=cifar10

The generator is the decoder of model=reslag_light for that data set, and a discriminator of the
encoder's sizes takes the place of the encoder. Its samples are measured as evaluate.py measures
those of a VAE. Options of train.py may follow, such as data.root=/where/they/are. The same command
goes on from the last checkpoint, with more minutes, too.
"""

import argparse
import io
import time
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir

from benchmarks.adversaries import Adversaries, Discriminator
from benchmarks.report import Table, parser, publish
from benchmarks.workloads import CONF
from reslag_vae import options
from reslag_vae._runtime.errors import ConfigError, UserError, config_errors
from reslag_vae._runtime.files import write_atomically
from reslag_vae._runtime.process import quiet, tune
from reslag_vae.data import ImageDataModule
from reslag_vae.evaluation.codes import decode
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.measurements.samples import prior_distance
from reslag_vae.evaluation.measurements.sharpness import of_samples
from reslag_vae.evaluation.numbers import Numbers, format_measured
from reslag_vae.evaluation.pictures import samples
from reslag_vae.evaluation.pictures.figures import save_figure
from reslag_vae.evaluation.pictures.material import GRID_IMAGES
from reslag_vae.evaluation.settings import Settings
from reslag_vae.likelihoods.pixels import unit_interval
from reslag_vae.models import FlatModel
from reslag_vae.runs.data import build_data
from reslag_vae.training.build import build_system
from reslag_vae.training.system import BaseVAE

BATCH = 64
# Seconds of training between two checkpoints.
SAVED = 60.0
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def main(arguments: list[str] | None = None) -> None:
    """Train, draw and measure, and write the results."""
    command = parser(__doc__, "gan")
    command.add_argument(
        "--minutes", type=float, default=10.0, help="of training, in all (default: %(default)s)"
    )
    command.add_argument("--images", type=int, help="images that are seen at most (default: any)")
    command.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    command.add_argument(
        "--classifiers", type=int, default=1, help="as of evaluate.py (default: %(default)s)"
    )
    command.add_argument("options", nargs="*", help="of train.py, such as data=cifar10")
    asked = command.parse_args(arguments)
    try:
        run(asked)
    except UserError as error:
        raise SystemExit(str(error)) from None


def run(asked: argparse.Namespace) -> None:
    """Train, draw and measure what the command line asks for.

    Raises:
        UserError: an option is out of its range, or the checkpoint is of others.
    """
    system, data, adversaries = build(asked.options, asked.seed)
    asked.out = asked.out / data.key
    checkpoint = asked.out / "last.pt"
    made_of = {"options": list(asked.options), "seed": asked.seed}
    resume(adversaries, checkpoint, made_of)
    train(adversaries, data, asked, checkpoint, made_of)
    publish_results(asked, system, data, adversaries)


def build(overrides: list[str], seed: int) -> tuple[BaseVAE, ImageDataModule, Adversaries]:
    """Return the variant whose decoder generates, the data, and generator with discriminator.

    Raises:
        ConfigError: an option is out of its range.
    """
    chosen = ["model=reslag_light", "logger=none", f"seed={seed}", *overrides]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", chosen)
    options.check(config)
    torch.manual_seed(seed)
    with config_errors():
        system = build_system(config)
        data = build_data(config, system.model)
    model = system.model.to(DEVICE)
    if not isinstance(model, FlatModel):
        raise ConfigError(f"model={system.name}: its decoder takes several levels of latents.")
    data.setup()
    recipe = config.recipe
    discriminator = Discriminator(model.image_shape, list(recipe.channels), list(recipe.blocks))
    return system, data, Adversaries(model, discriminator.to(DEVICE), seed)


def resume(adversaries: Adversaries, checkpoint: Path, made_of: dict[str, Any]) -> None:
    """Go on from a checkpoint, if there is one.

    Raises:
        UserError: it is of other options.
    """
    if not checkpoint.exists():
        return
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    if state["made_of"] != made_of:
        raise UserError(
            f"{checkpoint} is of {state['made_of']}, and this is {made_of}: name another folder by "
            "--out, or remove the file."
        )
    adversaries.go_on_from(state)


def train(
    adversaries: Adversaries,
    data: ImageDataModule,
    asked: argparse.Namespace,
    checkpoint: Path,
    made_of: dict[str, Any],
) -> None:
    """Train on minibatches drawn with replacement, until the minutes or the images are over."""
    images, saved = data.split("train"), adversaries.seconds
    most = float("inf") if asked.images is None else asked.images
    adversaries.train()
    while adversaries.seconds < 60 * asked.minutes and adversaries.images_seen < most:
        start = time.perf_counter()
        rows = torch.randint(len(images), (BATCH,), generator=adversaries.random)
        losses = adversaries.step(unit_interval(images[rows].images.to(DEVICE)))
        adversaries.seconds += time.perf_counter() - start
        if adversaries.seconds - saved > SAVED:
            saved = adversaries.seconds
            save(adversaries, checkpoint, made_of)
            shown = f"generator {losses[0]:.2f}, discriminator {losses[1]:.2f}"
            print(f"{adversaries.images_seen:,} images, {saved:.0f} s: {shown}", flush=True)
    save(adversaries, checkpoint, made_of)


def save(adversaries: Adversaries, checkpoint: Path, made_of: dict[str, Any]) -> None:
    """Write a checkpoint."""
    content = io.BytesIO()
    torch.save(adversaries.training_state() | {"made_of": made_of}, content)
    write_atomically(checkpoint, content.getvalue())


def publish_results(
    asked: argparse.Namespace, system: BaseVAE, data: ImageDataModule, adversaries: Adversaries
) -> None:
    """Draw and measure samples, and write the table, the numbers and the picture."""
    model = adversaries.model.eval().requires_grad_(False)
    subject = Subject(model, system.objective, data, Settings(classifiers=asked.classifiers))
    numbers: Numbers = {
        "classifier_frechet_prior": prior_distance(subject),
        "sharpness_samples": of_samples(subject),
    }
    drawn = decode(model, subject.prior_latents[:GRID_IMAGES])
    save_figure(samples({"GAN": {"prior": drawn}}), asked.out / "samples.png")
    parts = {"generator": adversaries.decoder, "discriminator": adversaries.discriminator}
    weights = {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}
    cells = (
        data.key,
        f"{adversaries.images_seen:,}",
        f"{adversaries.seconds / 3600:.3f}",
        *(f"{count:,}" for count in weights.values()),
        *(format_measured(number) for number in numbers.values()),
    )
    columns = ("data", "images seen", "hours", "generator's weights", "discriminator's")
    named = (*columns, "classifier Fréchet, prior", "sharpness, samples")
    note = "; ".join(f"{name}: {number.protocol}" for name, number in numbers.items())
    raw = {
        "data": data.key,
        "options": list(asked.options),
        "seed": asked.seed,
        "images_seen": adversaries.images_seen,
        "hours": adversaries.seconds / 3600,
        "weights": weights,
        "numbers": {name: number.as_dict() for name, number in numbers.items()},
    }
    title = f"GAN of reslag_light's decoder, seed {asked.seed}"
    publish(asked, "gan", [Table(title, named, [cells], note)], raw)


if __name__ == "__main__":
    quiet()
    tune()
    main()
