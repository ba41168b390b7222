"""The refusal of metrics and gradients that are not finite."""

import math
from collections.abc import Mapping

from lightning import Trainer

from reslag_vae._runtime.errors import NonFiniteError
from reslag_vae.models.generative import Group
from reslag_vae.objectives.averages import Means
from reslag_vae.training.gradient_skip import GradientSkip


def refuse_non_finite(
    trainer: Trainer, split: str, metrics: dict[str, float], means: Means
) -> None:
    """End a run if a metric of the current epoch is not finite.

    No checkpoint of the epoch has been written then. The sanity check before training is exempt.

    Args:
        trainer: trainer of the run.
        split: split of the metrics.
        metrics: metrics by name.
        means: running means that the metrics were made of.

    Raises:
        NonFiniteError: a metric is not finite. The message names the metric, the epoch and the
            first minibatch that was not finite, if that is known.
    """
    broken = [name for name, value in metrics.items() if not math.isfinite(value)]
    if not broken or trainer.sanity_checking:
        return
    where = f"Epoch {trainer.current_epoch + 1}"
    minibatch = means.first_non_finite()
    if minibatch:
        where = f"{where}, minibatch {minibatch}"
    kept = " The checkpoints of the epochs before are kept." if trainer.current_epoch else ""
    raise NonFiniteError(
        f"{where}: {split} {', '.join(broken)} not finite.{kept} A smaller optimizer.lr or "
        "an optimizer.clip_norm may help."
    )


def refuse_standstill(trainer: Trainer, skips: Mapping[Group, GradientSkip]) -> None:
    """End a run if no gradient of a group was finite in the current epoch.

    Each of the group's updates was skipped then, and so would be those to come.

    Args:
        trainer: trainer of the run.
        skips: rule of each group by which updates are skipped.

    Raises:
        NonFiniteError: it is so. The message names the group and the epoch.
    """
    for name, skip in skips.items():
        if int(skip.updates) and int(skip.non_finite) == int(skip.updates):
            raise NonFiniteError(
                f"Epoch {trainer.current_epoch + 1}: no gradient of the {name} group was finite, "
                "so that optimizer.skip_above skipped all of its updates."
            )
