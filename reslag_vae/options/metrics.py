"""The metrics that runs log, by which the best epoch may be chosen or not."""

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
OF_LATENT = ("active_units", "mutual_information", "mutual_information_ceiling")

# Metrics of which the smallest value is not the best, and what is to be said of them.
NO_LOSS = {
    **dict.fromkeys(OF_LATENT, "a large one is good"),
    **dict.fromkeys(("kl", "kl_per_dim"), "a small one is good and bad: a code that says nothing"),
    "elbo": "a large one is good; of {split}/bits_per_dim, the same in bits, a small one is",
}
METRICS = (*(f"val/{name}" for name in (*MEANS, *OF_LATENT)), *(f"train/{name}" for name in MEANS))
