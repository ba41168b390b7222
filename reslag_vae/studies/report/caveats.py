"""The ways in which a run differs from the thesis' experiment."""

from reslag_vae.studies.report.finished import FinishedRun
from reslag_vae.studies.report.thesis import BATCH_SIZE, LEARNING_RATE, STANDS_FOR, setting_of

# The smallest share of the official training images with which a data set counts as whole.
WHOLE = 0.99


def scale_caveats(run: FinishedRun) -> list[str]:
    """Return where a run has fewer epochs or images than the thesis, or other pixels."""
    setting, found = setting_of(run.data), data_caveats(run)
    if setting is None:
        return found
    planned, done = int(run.config["trainer"]["max_epochs"]), int(run.result["epochs_run"])
    stopped = str(run.result.get("stopped_because", "")).startswith("the trainer was told to stop")
    if planned != setting.epochs or (stopped and done < planned):
        found.append(f"{min(planned, done) if stopped else planned} of {setting.epochs} epochs")
    images = run.result["images"]
    known = images["train"] + images["val"]
    if run.data in STANDS_FOR:
        found.append("picture files, whose pixels need not be the official ones")
    elif known < WHOLE * setting.images:
        found.append(f"{known:,} of {setting.images:,} training images")
    return found


def data_caveats(run: FinishedRun) -> list[str]:
    """Return what a run did not see of its data, and what is unusual about them."""
    found = [str(note) for note in run.notes]
    trainer = run.config["trainer"]
    # 1.0 is all minibatches, and 1 is one.
    found += [
        f"{name} {trainer[name]}"
        for name in sorted(trainer)
        if name.startswith("limit_") and (isinstance(trainer[name], int) or trainer[name] != 1.0)
    ]
    seen = run.history[-1].get("images_seen") if run.history else None
    expected = run.result["images"]["train"] * int(run.result["epochs_run"])
    if seen is not None and seen < WHOLE * expected:
        found.append(f"{seen:,.0f} images seen, where its epochs have {expected:,}")
    return found


def condition_caveats(run: FinishedRun) -> list[str]:
    """Return what the model of a run is told of an image: the thesis' models are told nothing."""
    condition = run.config.get("condition")
    return [] if condition is None else [f"p(x|y), y the image's {condition['kind']}"]


def setting_caveats(run: FinishedRun) -> list[str]:
    """Return the settings of a run that differ from those that the thesis prints.

    A network that is not the thesis' has some of them only, and a model without a latent none.
    """
    setting = setting_of(run.data)
    if setting is None:
        return []
    network, schedule = run.config.get("network") or {}, run.config["schedule"]
    objective = run.config["objective"]
    pairs = [("learning rate", run.config["optimizer"]["lr"], LEARNING_RATE)]
    if "latent_dim" in network:
        pairs += [("latent", network["latent_dim"], setting.latent)]
    if "blocks" in network:
        pairs += [("convolution blocks", sum(network["blocks"]), setting.blocks)]
    if "ratio" in schedule:
        pairs += [
            ("ratio", schedule["ratio"], setting.ratio),
            ("aggressive epochs", schedule["epochs"], setting.aggressive),
        ]
    if "beta" in objective:
        pairs += [("beta", objective["beta"], setting.beta)]
    found = [
        f"{name} {shown(ours)}, the thesis' {printed:g}"
        for name, ours, printed in pairs
        if ours != printed
    ]
    own = run.config.get("data", {}).get("batch_size", BATCH_SIZE)
    if own != BATCH_SIZE:
        found.append(f"batch size {own}, where the thesis' Figure 5 speaks for {BATCH_SIZE}")
    return found


def shown(value: object) -> str:
    """Return the value of a setting as text; a ratio may be a word."""
    return f"{value:g}" if isinstance(value, int | float) else str(value)
