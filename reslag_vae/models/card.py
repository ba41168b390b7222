"""The objective card: the loss that a run minimises, with its units."""

from reslag_vae.models.generative import GenerativeModel
from reslag_vae.objectives import Objective


def preset(model: GenerativeModel, objective: Objective) -> str:
    """Return the choice of `objective=` that gives a run's objective and likelihood.

    If no single choice gives both, return the names of the two.
    """
    likelihood = model.likelihood
    if "rate_alone" in objective.provides:  # the likelihood has no part in it
        return objective.name
    if objective.name == "elbo" and "sigma_rule" in likelihood.provides:
        return likelihood.name
    if likelihood.name == objective.usual_likelihood:
        return objective.name
    return f"{objective.name}, {likelihood.name}"


def equivalent_sigma2(model: GenerativeModel, objective: Objective) -> float | None:
    """Return the variance of the Gaussian likelihood whose ELBO has the same optimum.

    It is None if the likelihood has a variance of its own, or the objective no weight of the KL.
    """
    return model.likelihood.equivalent_sigma2(objective.kl_weight(model.latent_dim))


def objective_card(name: str, model: GenerativeModel, objective: Objective) -> dict[str, str]:
    """Return the lines of the card, label -> text.

    Args:
        name: name of the variant.
        model: the model that is trained.
        objective: the objective that is minimised.
    """
    latent = model.latent_dim
    formula = objective.formula(model.likelihood.formula)
    lines = {
        "model": f"{name}: {model.architecture}, latent d = {latent}",
        "objective": f"{preset(model, objective)}: mean over images of {formula}",
        "Rec": f"sum of squared errors over D = {model.dimensions} numbers in [0, 1]",
    }
    if not model.deterministic:
        lines["KL"] = f"sum over the d = {latent} dimensions, nats per image"
    if model.condition is not None:
        lines["p(x|y)"] = f"y is {model.condition.words}, told to encoder and decoder"
    for part in model.parts().values():
        lines |= getattr(part, "notes", {})
    lines |= objective.notes
    if "rate_alone" in objective.provides:
        return lines
    weight, equivalent = objective.kl_weight(latent), equivalent_sigma2(model, objective)
    if equivalent is not None:
        lines["beta_eff"] = (
            f"{2 * equivalent:g} in Rec + beta · KL, as a likelihood variance {equivalent:g}"
        )
    elif "s2" in lines and weight is not None:
        lines["beta_eff"] = f"{2 * weight:g} s2 in Rec + beta · KL"
    return lines
