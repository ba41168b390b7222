"""Checks that the model, the data, the trainer and the options of a run go together."""

import logging
from collections.abc import Mapping

import torch
from lightning import Trainer
from omegaconf import DictConfig

from reslag_vae import options
from reslag_vae._runtime import ranks
from reslag_vae._runtime.errors import ConfigError
from reslag_vae.data import ImageDataModule
from reslag_vae.data.images import Batch
from reslag_vae.evaluation.epoch import EvaluationEpoch
from reslag_vae.training.system import BaseVAE

log = logging.getLogger(__name__)


def check_surroundings() -> None:
    """Refuse to train where the calling program has set PyTorch to what would change every step.

    Raises:
        ConfigError: nothing would be trained, or another run than the one that is asked for. The
            message says what to set back.
    """
    if torch.is_inference_mode_enabled():
        raise ConfigError("torch.inference_mode is on, and nothing is trained in it: leave it.")
    if torch.get_default_dtype() != torch.float32:
        raise ConfigError(
            f"torch's default type is {torch.get_default_dtype()}, and runs train in "
            "torch.float32: call torch.set_default_dtype(torch.float32) before."
        )
    if torch.get_default_device().type != "cpu":
        raise ConfigError(
            f"torch's default device is {torch.get_default_device()}, and trainer.accelerator "
            "chooses that of a run: call torch.set_default_device(None) before."
        )
    if any(torch.is_autocast_enabled(device) for device in ("cpu", "cuda")):
        raise ConfigError(
            "torch.autocast is on, and trainer.precision chooses a run's precision: leave "
            "torch.autocast, or set trainer.precision=bf16-mixed in its place."
        )


def check_devices(config: DictConfig, trainer: Trainer) -> None:
    """Refuse options that do not go with the number of devices.

    Args:
        config: configuration of the run.
        trainer: trainer of the run, which knows how many devices there are.

    Raises:
        ValueError: an option does not go with the devices. The message names it.
    """
    count, started = trainer.world_size, ranks.launched_processes()
    if started > 1 and started != count:
        raise ValueError(
            f"{started} processes were started together, and the run has {count} device(s): "
            "set trainer.devices to the number of processes on a machine, and trainer.num_nodes "
            "to that of machines."
        )
    if config.trainer.num_nodes != 1 and started == 1:
        raise ValueError(
            f"trainer.num_nodes={config.trainer.num_nodes}: start the processes by torchrun or "
            "srun."
        )
    if config.data.batch_size % count:
        raise ValueError(
            f"data.batch_size={config.data.batch_size}: must be a multiple of the {count} devices."
        )
    if count > 1 and config.trainer.get("compile") is True:
        raise ValueError(
            "trainer.compile=true: takes one device; leave it out, or trainer.devices=1."
        )


def note_slow_precision(config: DictConfig, trainer: Trainer) -> None:
    """Log that bfloat16 is no gain on a processor that has no products of it.

    Args:
        config: configuration of the run.
        trainer: trainer of the run.
    """
    half = str(config.trainer.precision).startswith("bf16")
    if half and trainer.strategy.root_device.type == "cpu" and not multiplies_bfloat16():
        log.warning(
            "trainer.precision=%s: this processor has no products of bfloat16, and is slower with "
            "it than with 32-true.",
            config.trainer.precision,
        )


def multiplies_bfloat16() -> bool:
    """Return whether the processor has products of bfloat16; true where PyTorch cannot tell."""
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    known = [getattr(torch.cpu, name)() for name in names if hasattr(torch.cpu, name)]
    return any(known) or not known


def check_monitors(monitors: Mapping[str, str], model: BaseVAE) -> None:
    """Refuse to choose an epoch by a metric that the model does not log.

    Args:
        monitors: name of the monitored metric, as in `val/loss`, by the option that names it. One
            that this package does not know is left alone: it may be that of a callback of the
            user's own.
        model: model of the run.

    Raises:
        ValueError: the model has no such metric. The message names those that it has.
    """
    names = metric_names(model)
    there = [f"{split}/{name}" for split in ("val", "train") for name in names]
    for option, monitor in monitors.items():
        if monitor in options.METRICS and monitor not in there:
            raise ValueError(
                f"{option}={monitor}: this model has no such metric; there are {', '.join(there)}."
            )


def metric_names(model: BaseVAE) -> list[str]:
    """Return the names of the metrics that an evaluation of a model has.

    They are found by an evaluation of two black images, which leaves the model as it is.
    """
    training = model.training
    model.eval()
    shape = (2, *model.model.image_shape)
    images = torch.zeros(shape, dtype=torch.uint8, device=model.train_mse.device)
    epoch = EvaluationEpoch(model.model, model.objective)
    condition = model.model.condition
    labels = torch.full((2,), -1)
    if condition is not None and condition.kind == "attributes":
        labels = torch.zeros(2, condition.count)
    epoch.add(Batch(images, labels.to(images.device)))
    model.train(training)
    return list(epoch.metrics(1.0))


def check_pixels(system: BaseVAE, data: ImageDataModule) -> None:
    """Refuse grey images for a likelihood of black and white ones, and a mass of greys for these.

    Args:
        system: system of the run.
        data: data of the run.

    Raises:
        ValueError: the likelihood takes only 0 and 1, and the data have greys, or the reverse.
    """
    likelihood = system.model.likelihood
    if likelihood.binary and not data.binary:
        instead = "" if likelihood.for_greys is None else f"{likelihood.for_greys}, "
        raise ValueError(
            f"likelihood={likelihood.name}: takes images of 0 and 1 alone, and data={data.name} "
            f"has greys: {instead}data=binarized_mnist, or data=mnist data.binarize=dynamic."
        )
    if likelihood.discrete and data.binary and not likelihood.binary:
        raise ValueError(
            f"likelihood={likelihood.name}: is a mass of 256 levels, and the images of "
            f"data={data.name} are 0 and 1 alone: likelihood.pixels=bernoulli."
        )
