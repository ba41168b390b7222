"""The samplers that a model brings along, fitted to its training images: samplers.safetensors."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from reslag_vae._runtime.errors import UserError, first_line
from reslag_vae._runtime.files import WriteError, write_atomically
from reslag_vae.apply.model_of_run import digest, images_of_run
from reslag_vae.apply.request import check_installed
from reslag_vae.apply.samplers import (
    LEARNED,
    MOST_CODES,
    Fitted,
    LearnedSampler,
    MixtureSampler,
    fitted,
)
from reslag_vae.evaluation.codes import encode
from reslag_vae.evaluation.progress import Progress, silent
from reslag_vae.models import GenerativeModel
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import CONFIG_FILE, SAMPLERS_FILE
from reslag_vae.runs.weights import as_in_training, plain_tensors, refuse_other_tensors

SCHEMA = "1"

# Those that are fitted to codes.
KINDS = ("mixture", *LEARNED)


class Brought(NamedTuple):
    """A sampler that a model brings along.

    Attributes:
        sampler: the sampler.
        notes: sentences on what is missing.
    """

    sampler: Fitted
    notes: list[str]


def own_sampler(
    name: str,
    folder: str | Path,
    model: GenerativeModel,
    progress: Progress = silent,
    keep: bool = True,
) -> Brought:
    """Return the sampler that a run or an export brings along.

    A run that has none is given one, if its data are there: it is fitted to codes of training
    images, at most 20,000, and kept beside the run's other files. Exports carry it.

    Args:
        name: `mixture`, `flow` or `two_stage`.
        folder: folder of the run or the export.
        model: its model.
        progress: shows how far encoding and fit are.
        keep: whether the run keeps it, in place of those of other weights: see `Subject.best`.

    Raises:
        RunError: samplers.safetensors is damaged.
        UserError: there is none, and none can be fitted; the message says why.
        ValueError: there is no sampler of the name.
    """
    if name not in KINDS:
        raise ValueError(f"name={name!r}: choose one of {', '.join(KINDS)}.")
    folder = Path(folder).expanduser()
    known = read_samplers(folder, model)
    if name in known:
        return Brought(known[name], [])
    if not (folder / CONFIG_FILE).is_file():
        raise UserError(
            f"--sampler {name}: {folder} brings none along: name pictures to fit it to. A run "
            "keeps the one that is drawn from without pictures, and its exports carry it."
        )
    check_installed(name)
    try:
        images = images_of_run(folder, "train")
    except UserError as error:
        # Advice that follows names the options of other commands.
        reason = first_line(error).partition(". ")[0].removesuffix(".")
        raise UserError(f"--sampler {name}: name pictures to fit it to: {reason}.") from None
    generator = torch.Generator().manual_seed(0)
    rows = torch.randperm(len(images), generator=generator)[:MOST_CODES]
    codes = encode(model, images.part(rows.sort().values), progress=progress)
    made = fitted(name, codes.latents.numpy(), "training images", progress)
    if not keep:
        return Brought(made, [f"the {name} is not kept: exports carry that of the best epoch"])
    try:
        # Read again: another process may have kept another sampler meanwhile.
        save_samplers(folder, read_samplers(folder, model) | {name: made}, model)
    except WriteError as error:  # of another user's run
        return Brought(made, [f"the {name} is not kept for exports: {first_line(error)}"])
    return Brought(made, [])


def save_samplers(folder: Path, samplers: Mapping[str, Fitted], model: GenerativeModel) -> None:
    """Write samplers.safetensors into the folder of a run.

    Args:
        folder: folder of the run.
        samplers: the samplers by name.
        model: the model whose codes they are fitted to.

    Raises:
        WriteError: the file cannot be written.
    """
    from safetensors.torch import save

    tensors = {
        f"{name}.{own}": value.contiguous()
        for name, sampler in samplers.items()
        for own, value in sampler.tensors().items()
    }
    facts = {"schema": SCHEMA, "weights": digest(model)}
    write_atomically(folder / SAMPLERS_FILE, save(tensors, facts))


def read_samplers(folder: Path, model: GenerativeModel) -> dict[str, Fitted]:
    """Return the samplers of a run or an export by name; none if it has none of this model.

    Raises:
        RunError: samplers.safetensors is damaged.
    """
    from safetensors import SafetensorError, safe_open

    path = folder / SAMPLERS_FILE
    if not path.is_file():
        return {}
    try:
        with safe_open(path, "pt") as file:
            facts = file.metadata() or {}
            if facts.get("schema") != SCHEMA or facts.get("weights") != digest(model):
                return {}
            names = file.keys()
            tensors = plain_tensors({name: file.get_tensor(name) for name in names})
        return parsed(tensors, model.latent_dim)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise RunError(f"{path} is damaged: {first_line(error)}") from None


def parsed(tensors: Mapping[str, Tensor], latent_dim: int) -> dict[str, Fitted]:
    """Return samplers by name, of their tensors.

    Args:
        tensors: tensors by the name of the sampler, a point, and their own name.
        latent_dim: number of latent dimensions.

    Raises:
        ValueError: they are not those of samplers.
    """
    parts: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        sampler, _, own = name.partition(".")
        parts.setdefault(sampler, {})[own] = value
    if not parts.keys() <= PARSERS.keys():
        raise ValueError(f"it holds other samplers than {', '.join(PARSERS)}")
    return {name: PARSERS[name](own, latent_dim) for name, own in parts.items()}


def mixture_of(tensors: dict[str, Tensor], latent_dim: int) -> MixtureSampler:
    """Return the sampler of a mixture.

    Raises:
        ValueError: the tensors are not those of one.
    """
    if set(tensors) != set(MixtureSampler._fields):
        raise ValueError("it does not hold what a mixture is made of")
    own = MixtureSampler(**tensors)
    count, sides = own.weights.numel(), (latent_dim,) * (own.factors.dim() - 1)
    shapes = [tuple(value.shape) for value in own]
    known = shapes == [(count,), (count, latent_dim), (count, *sides)] and len(sides) in (1, 2)
    if not known or {value.dtype for value in own} != {torch.float32}:
        raise ValueError(f"it does not hold a mixture over {latent_dim} latent dimensions")
    if (own.weights < 0).any() or not own.weights.sum() > 0:
        raise ValueError("the weights of its mixture are no probabilities")
    return own


def learned_of(name: str, tensors: dict[str, Tensor], latent_dim: int) -> LearnedSampler:
    """Return the sampler of a fitted prior.

    Raises:
        ValueError: the tensors are not those of one.
    """
    with as_in_training():
        prior = LEARNED[name](latent_dim)
    mean = spread = torch.empty(latent_dim)
    refuse_other_tensors(LearnedSampler(mean, spread, prior).tensors(), tensors)
    prior.load_state_dict({own: tensors[f"{name}.{own}"] for own in prior.state_dict()})
    prior.eval()
    return LearnedSampler(tensors["mean"], tensors["spread"], prior)


PARSERS: dict[str, Callable[[dict[str, Tensor], int], Fitted]] = {
    "mixture": mixture_of,
    **{name: partial(learned_of, name) for name in LEARNED},
}
