"""Training speed beside a plain PyTorch loop, and the cost of an aggressive step: python -m benchmarks.training

All contenders do the same work: the plain network, `sigma_data`, batch 128, images in memory as uint8. They alternate
within one run, so that a change of the machine's speed meets all of them; medians and ranges over the repetitions.
"""

import argparse
import logging
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from torch import Tensor

from reslag_vae import wiring
from reslag_vae.models import BaseVAE

CONF = Path(__file__).parents[1] / "conf"
Contender = Callable[[], float]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="fashion_mnist", help="a data set of conf/data (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--images", type=int, default=6_400, help="in each repetition (default: %(default)s)")
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()

    wiring.quiet()
    warnings.filterwarnings("ignore", message=".*seed.*")
    logging.getLogger("reslag_vae").setLevel(logging.WARNING)
    size = [f"data={arguments.data}", f"data.batch_size={arguments.batch_size}"]
    size.append(f"+trainer.limit_train_batches={arguments.images // arguments.batch_size}")
    lagging = ["model=lagging", "schedule.ratio=5", "schedule.epochs=2"]
    contenders: dict[str, Contender] = {
        "plain loop, joint": lambda: plain_loop(["model=optimal_sigma", *size], arguments.images),
        "train.py, joint": lambda: trained(["model=optimal_sigma", *size]),
        "train.py, aggressive n = 5": lambda: trained([*lagging, *size]),
    }
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for repetition in range(arguments.repetitions):
        for name, contender in contenders.items():
            speeds[name].append(contender())
            print(f"{repetition + 1}/{arguments.repetitions} {name}: {speeds[name][-1]:.0f} images/s", flush=True)
    Console().print(as_table(speeds, arguments.batch_size))


def as_table(speeds: dict[str, list[float]], batch_size: int) -> Table:
    """Medians and ranges, and the cost of an image in the first two contenders' unit, repetition by repetition."""
    table = Table(title=f"batch {batch_size}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    units = list(speeds)[:2]
    for column in ("", "images/s", "range", *(f"cost / {unit}" for unit in units)):
        table.add_column(column, justify="right" if column else "left")
    for name, values in speeds.items():
        costs = [
            statistics.median(one / value for one, value in zip(speeds[unit], values, strict=True)) for unit in units
        ]
        spread = f"{min(values):.0f} - {max(values):.0f}"
        table.add_row(name, f"{statistics.median(values):.0f}", spread, *(f"{cost:.3f}" for cost in costs))
    return table


def trained(overrides: list[str]) -> float:
    """images/s of the second epoch through the Trainer, with every callback and file of train.py, but no W&B."""
    config = composed([*overrides, "trainer.max_epochs=2", "logger=none", "+trainer.limit_val_batches=1"])
    # The progress bar is drawn, as it would be, but not shown between the figures.
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        data, model, trainer = wiring.build(config, Path(folder))
        trainer.fit(model, data)
    return float(trainer.callback_metrics["images_per_second"])


def plain_loop(overrides: list[str], images: int) -> float:
    """images/s of the loop that one would write by hand: same network, one fused Adam, images in memory."""
    config = composed(overrides)
    model = wiring.build_model(config)
    data = wiring.build_data(config, model)
    data.setup()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    pixels, batch_size = data.split("train").images.to(device), data.batch_size
    model.to(device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, fused=True)
    order = torch.split(torch.randperm(len(pixels), device=device)[:images], batch_size)
    for index in order[:3]:
        plain_step(model, optimizer, pixels[index])
    started = time.perf_counter()
    for index in order:
        loss = plain_step(model, optimizer, pixels[index])
    float(loss)  # waits for the device
    return images / (time.perf_counter() - started)


def plain_step(model: BaseVAE, optimizer: torch.optim.Adam, pixels: Tensor) -> Tensor:
    """One joint update with the loss of `sigma_data` written out."""
    images = pixels.float() / 255
    mean, log_variance = model.network.inference(images).chunk(2, dim=1)
    latents = mean + (log_variance / 2).exp() * torch.randn_like(mean)
    rec = (model.network.generative(latents) - images).square().flatten(1).sum(1)
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
    sigma2 = images.var(unbiased=False)
    loss: Tensor = (images[0].numel() / 2 * sigma2.log() + rec / (2 * sigma2) + kl).mean()
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's own
    optimizer.step()
    return loss.detach()


def composed(overrides: list[str]) -> DictConfig:
    """The configuration of train.py with these overrides."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides)


if __name__ == "__main__":
    main()
