"""The table of every option of training and evaluation, with the values that it may have."""

import math
import re

from reslag_vae.options.kinds import BOOLEAN, NULL, Kind, either, listed, real, text, whole, word

DECAY = Kind("a number from 0 to less than 1", lambda value: real(0, 1).has(value) and value < 1)
SEED = whole(0, 2**32 - 1)
EPOCHS = whole(0, 1_000_000)
POSITIVE = real(1e-12, 1e12)
PIXELS = word("bernoulli", "levels", "logistic_mixture")
ODD = Kind("an odd number from 1 to 99", lambda value: whole(1, 99).has(value) and value % 2 == 1)
ODD_FROM_3 = Kind("an odd number from 3 to 99", lambda value: ODD.has(value) and value > 1)
IMAGE_SHAPE = listed(whole(1, 4096), 3, 3)
LATENT_DIM = whole(1, 100_000)
CODE_DIM = whole(1, 1024)
MOST_CODES = 65_536
CODES = whole(2, MOST_CODES)
FEW_LEVELS = listed(whole(2, 256), 1, 16)
LEVELS = Kind(
    f"{FEW_LEVELS.wanted}, whose product, the number of codes, is at most {MOST_CODES}",
    lambda value: FEW_LEVELS.has(value) and math.prod(value) <= MOST_CODES,
)
CHANNELS = listed(whole(1, 8192), 1, 12)
BLOCKS = listed(whole(1, 100), 1, 12)
LONGEST_GROUP = 128
PATH = text()
METRIC = text(100)
PRECISION = Kind(
    "32-true or bf16-mixed; fp16 would need a gradient scaler, which does not work with two "
    "optimizers",
    lambda value: value in ("32-true", "32", "bf16-mixed") or (type(value) is int and value == 32),
)
DEVICE = Kind(
    "auto, cpu, cuda, or one of several by cuda:1",
    lambda value: (
        isinstance(value, str) and re.fullmatch(r"auto|cpu|cuda(:\d{1,4})?", value) is not None
    ),
)
DEVICES = Kind(
    "auto, or numbers as in 0,1",
    lambda value: (
        isinstance(value, str) and re.fullmatch(r"auto|-1|\d{1,4}(,\d{1,4})*", value) is not None
    ),
)

TRAIN: dict[str, Kind] = {
    "seed": SEED,
    "resume": either(PATH, NULL),
    "changed_data": word("refuse", "accept"),
    "trust": listed(text(), 0, 100),
    "study": either(text(200), NULL),
    "run": PATH,
    "monitor": METRIC,
    "data.root": PATH,
    "data.folder": PATH,
    "data.batch_size": whole(1, 1_000_000),
    "data.val_fraction": real(0, 1, exclusive=True),
    "data.seed": SEED,
    "data.size": whole(1, 2048),
    "data.channels": Kind("1 or 3", lambda value: type(value) is int and value in (1, 3)),
    "data.crop": either(whole(1, 178), NULL),
    "data.binarize": either(word("dynamic"), NULL),
    "data.passes": either(whole(1, 1_000_000), NULL),
    "data.range": either(listed(real(-1e12, 1e12), 2, 2), NULL),
    "recipe.image_shape": IMAGE_SHAPE,
    "recipe.latent_dim": LATENT_DIM,
    "recipe.channels": CHANNELS,
    "recipe.blocks": BLOCKS,
    "recipe.residual": BOOLEAN,
    "recipe.max_epochs": whole(1, 1_000_000),
    "recipe.aggressive_epochs": EPOCHS,
    "recipe.updates": whole(1, 1_000_000_000),
    "recipe.aggressive_updates": whole(0, 1_000_000_000),
    "recipe.learning_rate": real(1e-8, 10),
    "recipe.ratio": whole(1, 1000),
    "recipe.beta": POSITIVE,
    "recipe.pixels": PIXELS,
    "network.image_shape": IMAGE_SHAPE,
    "network.latent_dim": LATENT_DIM,
    "network.channels": CHANNELS,
    "network.blocks": BLOCKS,
    "network.residual": BOOLEAN,
    "network.per_pixel": BOOLEAN,
    "network.parameters_per_latent": whole(1, 2),
    "network.parameters_per_channel": whole(0, 1000),
    "network.conditions": either(whole(0, 10_000), NULL),
    "condition.names": either(listed(text(200), 1, 10_000), NULL),
    "condition.kind": word("label", "attributes"),
    "network.code_dim": CODE_DIM,
    "posterior.code_dim": CODE_DIM,
    "posterior.codes": CODES,
    "posterior.commitment": real(0, 1e6),
    "posterior.follows": word("ema", "loss"),
    "posterior.decay": DECAY,
    "posterior.levels": LEVELS,
    "network.units": whole(1, 100_000),
    "network.latent_channels": listed(whole(0, 1000), 1, 12),
    "network.levels": either(whole(1, 12), NULL),
    "network.residual_blocks": whole(0, 100),
    "network.stage_levels": either(listed(whole(1, 100), 2, 12), NULL),
    "network.width": whole(1, 8192),
    "network.local_channels": whole(1, 1000),
    "network.stack_channels": whole(0, 8192),
    "posterior.temperature": real(0.01, 100),
    "prior.latent_dim": LATENT_DIM,
    "prior.image_shape": IMAGE_SHAPE,
    "prior.pseudo_inputs": whole(1, 10_000),
    "prior.channels": whole(1, 8192),
    "prior.layers": whole(1, 100),
    "prior.first_kernel": ODD_FROM_3,
    "prior.kernel": ODD,
    "prior.kind": word("coupling", "splines"),
    "prior.transforms": whole(1, 64),
    "prior.hidden_features": listed(whole(1, 4096), 1, 8),
    "likelihood.variance.image_shape": IMAGE_SHAPE,
    "likelihood.variance.granularity": word("global", "channel", "pixel", "image"),
    "likelihood.variance.decay": DECAY,
    "likelihood.variance.sigma2": real(1.2815e-6, 1e6),
    "likelihood.image_shape": IMAGE_SHAPE,
    "likelihood.pixels": PIXELS,
    "likelihood.channels": whole(1, 8192),
    "likelihood.layers": whole(1, 100),
    "likelihood.first_kernel": ODD_FROM_3,
    "likelihood.kernel": ODD,
    "likelihood.conditioned": either(whole(1, 100), NULL),
    "likelihood.parameters_per_channel": whole(0, 1000),
    "objective.beta": POSITIVE,
    "objective.gamma": POSITIVE,
    "objective.capacity": real(0, 1e6),
    "objective.epochs": EPOCHS,
    "objective.start": real(0, 1),
    "objective.nats": real(0, 1e6),
    "objective.alpha": real(-1e6, 1),
    "objective.lambda_": real(-1e6, 1e9),
    "objective.bandwidth": either(real(1e-6, 1e12), NULL),
    "objective.estimator": word("biased", "unbiased"),
    "objective.prior_samples": either(whole(1, 2_000), NULL),
    "schedule.ratio": either(whole(1, 1000), word("adaptive")),
    "schedule.patience": whole(1, 1000),
    "schedule.epochs": EPOCHS,
    "schedule.batches": word("same", "fresh"),
    "schedule.until": word("epochs", "mutual_information"),
    "optimizer.lr": real(1e-8, 10),
    "optimizer.betas": listed(
        Kind("from 0 to less than 1", lambda value: real(0, 1).has(value) and value < 1), 2, 2
    ),
    "optimizer.clip_norm": either(real(1e-6, 1e12), NULL),
    "optimizer.skip_above": either(real(1, 1e6, exclusive=True), NULL),
    "optimizer.ema_decay": either(real(0, 1, exclusive=True), NULL),
    "optimizer.plateau.factor": real(0, 1, exclusive=True),
    "optimizer.plateau.patience": whole(1, 1_000_000),
    "optimizer.plateau.stop_below": real(0, 10),
    "callbacks.seed.seed": SEED,
    "callbacks.progress.interval": real(0.01, 86_400),
    "callbacks.images.count": whole(1, 4096),
    "callbacks.images.every": whole(1, 1_000_000),
    "callbacks.steps.every": either(whole(1, 1_000_000_000), NULL),
    "callbacks.early_stopping.monitor": METRIC,
    "callbacks.early_stopping.updates": whole(1, 1_000_000_000),
    "callbacks.codes.count": whole(1, 10_000),
    "callbacks.checkpoint.monitor": METRIC,
    "logger.project": text(128),
    "logger.mode": word("auto", "online", "offline"),
    "logger.group": either(text(LONGEST_GROUP), NULL),
    "logger.tags": either(listed(text(64), 0, 100), NULL),
    "logger.notes": either(text(10_000), NULL),
    "logger.log_model": BOOLEAN,
    "trainer.max_epochs": whole(1, 1_000_000),
    "trainer.accelerator": word("auto", "cpu", "gpu", "cuda"),
    "trainer.devices": either(whole(-1, 1024), listed(whole(0, 1023), 1, 1024), DEVICES),
    "trainer.num_nodes": whole(1, 100_000),
    "trainer.precision": PRECISION,
    "trainer.compile": either(BOOLEAN, word("auto")),
    "trainer.num_sanity_val_steps": whole(-1, 1_000_000),
    "trainer.enable_model_summary": BOOLEAN,
    "trainer.use_distributed_sampler": Kind("false", lambda value: value is False),
    "trainer.log_every_n_steps": whole(1, 1_000_000),
}

EVALUATE: dict[str, Kind] = {
    "run": either(PATH, listed(PATH, 1, 100_000)),
    "skip_evaluated": BOOLEAN,
    "checkpoint": word("best", "last"),
    "split": word("test", "val"),
    "samples": whole(1, 100_000),
    "reference": whole(10, 10_000_000),
    "train_images": whole(10, 10_000_000),
    "classifiers": whole(1, 100),
    "seed": SEED,
    "root": either(PATH, NULL),
    "folder": either(PATH, NULL),
    "changed_data": word("refuse", "accept"),
    "trust": listed(text(), 0, 100),
    "device": DEVICE,
    "figures": BOOLEAN,
    "tsne": whole(0, 1_000_000),
    "attributes": listed(text(100), 0, 100),
    "perceptual": either(BOOLEAN, word("lpips")),
    "weights": either(PATH, NULL),
    "out": PATH,
}

# The nodes of a composed configuration that have options of their own. Those of `model` repeat the
# same options.
GROUPS = (
    "data",
    "recipe",
    "network",
    "posterior",
    "prior",
    "likelihood",
    "condition",
    "objective",
    "schedule",
    "optimizer",
    "callbacks",
    "logger",
    "trainer",
)
NEEDED = (
    "data",
    "network",
    "posterior",
    "prior",
    "likelihood",
    "objective",
    "schedule",
    "optimizer",
    "model",
    "callbacks",
    "trainer",
)

# The nodes whose classes look at their options themselves, where the table above does not.
PARTS = ("network", "posterior", "prior", "likelihood", "objective", "schedule")

# Options without a default, as an example shows them.
ASKED = {
    "data.folder": "data.folder=/folder/of/pictures",
    "data.folder of arrays": "data.folder=images.npz",
    "recipe.image_shape": "recipe.image_shape=[3,64,64]",
    "run": "run=runs/mnist/lagging/2026-01-31_12-00-00",
}
