"""The metrics that runs log, by which the best epoch may be chosen or not."""

import re

# Metrics that every epoch logs.
MEANS = (
    "loss",
    "distortion",
    "rec",
    "kl",
    "mmd",
    "sigma2",
    "sigma2_floored",
    "kl_per_dim",
    "elbo",
    "bits_per_dim",
)
OF_LATENT = (
    "active_units",
    "mutual_information",
    "mutual_information_ceiling",
    "codes_used",
    "codes_used_top",
    "codes_used_bottom",
    "perplexity",
    "perplexity_top",
    "perplexity_bottom",
)

# Metrics of which the smallest value is not the best, and what is to be said of them.
NO_LOSS = {
    **dict.fromkeys(OF_LATENT, "a large one is good"),
    **dict.fromkeys(("kl", "kl_per_dim"), "a small one is good and bad: a code that says nothing"),
    "elbo": "a large one is good; of {split}/bits_per_dim, the same in bits, a small one is",
}
METRICS = (*(f"val/{name}" for name in (*MEANS, *OF_LATENT)), *(f"train/{name}" for name in MEANS))

# The KL of one of a model's levels, which are counted from 1.
OF_LEVEL = re.compile(r"val/kl_level_[1-9]\d*")


def of_all_levels(metric: str) -> str:
    """Return the name of a metric, which for the KL of a level is that of all levels."""
    return "val/kl" if OF_LEVEL.fullmatch(metric) else metric
