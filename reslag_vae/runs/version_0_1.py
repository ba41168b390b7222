"""The conversion of what runs of version 0.1 hold to the form of version 0.2.

In version 0.1 an objective held the likelihood and its variance, a variant held the network itself,
and the schedule's state was the model's.
"""

from typing import Any

# The objective and the likelihood that an objective's class of version 0.1 is now, and its options'
# home.
LIKELIHOODS = "reslag_vae.likelihoods"
OBJECTIVES = "reslag_vae.objectives"
VARIANCES = {
    "SigmaData": "DataVariance",
    "SigmaOptimal": "OptimalVariance",
    "SigmaLearned": "LearnedVariance",
    "SigmaFixed": "FixedVariance",
}
QUADRATICS = {
    "ELBO": "UnitGaussian",
    "Beta": "SquaredError",
    "Capacity": "SquaredError",
    "MMD": "SquaredError",
    "Reconstruction": "SquaredError",
}

# Beginnings of the names of weights, and what they are now.
TENSORS = {
    "network.": "model.network.",
    "objective.running": "model.likelihood.variance.running",
    "objective.weight": "model.likelihood.variance.weight",
    "objective.log_sigma2": "model.likelihood.variance.log_sigma2",
}


def model(node: dict[str, Any]) -> dict[str, Any]:
    """Return a model's node in today's form."""
    network, given = node["network"], node.get("objective")
    objective, likelihood = parted(given)
    inner = {
        "_target_": "reslag_vae.models.FlatModel",
        "network": network,
        "likelihood": likelihood,
        "posterior": posterior(network),
        "prior": prior(network),
    }
    others = {name: value for name, value in node.items() if name not in ("network", "objective")}
    return {"_target_": node.get("_target_"), "model": inner, "objective": objective} | others


def config(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a run's whole configuration in today's form, but for its node `model`."""
    if "likelihood" in tree:
        return tree
    network = tree.get("network")
    objective, likelihood = parted(tree.get("objective"))
    new = {"posterior": posterior(network), "prior": prior(network), "likelihood": likelihood}
    return tree | new | {"objective": objective}


def parted(node: Any) -> tuple[Any, Any]:
    """Return today's nodes of the objective and of the likelihood for an objective's node."""
    target = str(node.get("_target_", "")) if isinstance(node, dict) else ""
    package, _, name = target.rpartition(".")
    if package != OBJECTIVES:
        return node, {"_target_": f"{LIKELIHOODS}.SquaredError"}
    if name in VARIANCES:
        options = {option: value for option, value in node.items() if option != "_target_"}
        variance = {"_target_": f"{LIKELIHOODS}.{VARIANCES[name]}"} | options
        likelihood = {"_target_": f"{LIKELIHOODS}.Gaussian", "variance": variance}
        return {"_target_": f"{OBJECTIVES}.ELBO"}, likelihood
    quadratic = QUADRATICS.get(name, "SquaredError")
    return node, {"_target_": f"{LIKELIHOODS}.{quadratic}"}


def posterior(network: Any) -> dict[str, Any]:
    """Return the node of the posterior that a network's node is for."""
    point = isinstance(network, dict) and network.get("parameters_per_latent") == 1
    kind = "PointPosterior" if point else "GaussianPosterior"
    return {"_target_": f"reslag_vae.latents.{kind}"}


def prior(network: Any) -> dict[str, Any]:
    """Return the node of N(0, I) over a network's latents."""
    dimensions = network.get("latent_dim") if isinstance(network, dict) else None
    return {"_target_": "reslag_vae.latents.StandardNormal", "latent_dim": dimensions}


def progress(own: dict[str, Any]) -> dict[str, Any]:
    """Return a checkpoint's progress in today's form."""
    names = ("phase_ended_at", "last_information")
    schedule = {name: own[name] for name in names}
    others = {name: value for name, value in own.items() if name not in names}
    return others | {"schedule": schedule}
