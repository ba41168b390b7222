"""The check of an evaluation's configuration before PyTorch is loaded."""

from omegaconf import DictConfig

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.options.kinds import shown
from reslag_vae.options.resolution import resolved
from reslag_vae.options.suggestions import did_you_mean
from reslag_vae.options.table import EVALUATE


def check_evaluation(config: DictConfig) -> None:
    """Refuse an evaluation's configuration that would fail or mislead later.

    Raises:
        ConfigError: an option is wrong; the message names it, its value and what is wanted.
    """
    tree = resolved(config)
    for name, value in tree.items():
        if name == "logger":
            if value is not None and not isinstance(value, dict):
                raise ConfigError(
                    f"logger={shown(value)}: choose one by logger=wandb or logger=none."
                )
            continue
        if name not in EVALUATE:
            near = did_you_mean(name, tuple(EVALUATE))
            raise ConfigError(f"{name}={shown(value)}: there is no such option{near}.")
        try:
            EVALUATE[name].require(name, value)
        except ValueError as error:
            raise ConfigError(str(error)) from None
