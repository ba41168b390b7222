"""The options of Lightning's Trainer that conf/trainer leaves out: those allowed and refused."""

import re
from typing import Any

from reslag_vae.options.kinds import BOOLEAN, NULL, Kind, either, real, whole, word
from reslag_vae.options.table import EPOCHS

# Options of Lightning's Trainer that a plus may add, with the values that do no harm; those that
# conf/trainer has are in the table above.
LIMIT = either(whole(1, 10**9), real(0, 1, exclusive=True), Kind("1.0", lambda value: value == 1.0))
TIME = Kind(
    "days:hours:minutes:seconds, as in 00:02:30:00, and more than none",
    lambda value: (
        isinstance(value, str)
        and re.fullmatch(r"\d+(:\d\d){3}", value) is not None
        and value.strip("0:") != ""
    ),
)
TRAINER: dict[str, Kind] = {
    "limit_train_batches": LIMIT,
    "limit_val_batches": LIMIT,
    "max_time": either(TIME, NULL),
    "min_epochs": either(EPOCHS, NULL),
    "deterministic": either(BOOLEAN, word("warn"), NULL),
    "benchmark": either(BOOLEAN, NULL),
    "inference_mode": BOOLEAN,
    "profiler": either(word("simple", "advanced", "pytorch"), NULL),
    "detect_anomaly": BOOLEAN,
    "enable_progress_bar": BOOLEAN,
    "enable_autolog_hparams": BOOLEAN,
}

# Options of Lightning's Trainer that would fail or mislead: the harmless value and the alternative.
REFUSED: dict[str, tuple[Any, str]] = {
    "gradient_clip_val": (None, "does not work with manual optimization; use optimizer.clip_norm"),
    "gradient_clip_algorithm": (
        None,
        "does not work with manual optimization; use optimizer.clip_norm",
    ),
    "accumulate_grad_batches": (1, "does not work with manual optimization; use data.batch_size"),
    "max_steps": (-1, "counts every optimizer's step; use trainer.max_epochs"),
    "min_steps": (None, "counts every optimizer's step; use trainer.min_epochs"),
    "check_val_every_n_epoch": (
        1,
        "every epoch is validated; the best one and the plateau rule need it",
    ),
    "val_check_interval": (1.0, "every epoch is validated at its end"),
    "strategy": (None, "the training step shares the work out itself; set trainer.devices"),
    "plugins": (None, "checkpoints are written by one of ours"),
    "fast_dev_run": (False, "would leave a result of one batch behind; use trainer.max_epochs=1"),
    "overfit_batches": (
        0,
        "would take the place of the batch sampler; use +trainer.limit_train_batches",
    ),
    "limit_test_batches": (None, "has no effect: the whole test split is measured at the end"),
    "limit_predict_batches": (None, "has no effect: nothing is predicted"),
    "callbacks": (None, "has no effect; add callbacks by +callbacks.<name>"),
    "logger": (None, "has no effect; use logger=none, or the options of logger"),
    "default_root_dir": (None, "has no effect; the run's folder is hydra.run.dir"),
    "enable_checkpointing": (
        None,
        "has no effect; callbacks.checkpoint keeps the best epoch and the last",
    ),
    "barebones": (False, "would leave no result"),
    "sync_batchnorm": (False, "has no effect: batch normalisation is over all devices already"),
    "reload_dataloaders_every_n_epochs": (0, "would begin the order of the batches anew"),
    "model_registry": (None, "has no effect"),
}
