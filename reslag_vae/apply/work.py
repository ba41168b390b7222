"""The work of `reslag apply`: one pass over the pictures, then what all of their codes give."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

import numpy as np

from reslag_vae._runtime.errors import UserError
from reslag_vae.apply.calibration import calibration_of
from reslag_vae.apply.codes import columns_of, encoded
from reslag_vae.apply.drawing import draw_samples, write_neighbours
from reslag_vae.apply.inputs import Inputs
from reslag_vae.apply.outputs import Reconstructions, Scores, Seen, keep_latents, keep_means
from reslag_vae.apply.reading import read_batches
from reslag_vae.apply.report import begin, record
from reslag_vae.apply.request import RECONSTRUCTIONS, Request
from reslag_vae.apply.scale import refuse_unknown_scale
from reslag_vae.apply.scores import scorer_of
from reslag_vae.apply.subject import Subject, notes_on_scores, read_subject
from reslag_vae.apply.tables import Spool, open_table
from reslag_vae.apply.told import given_to_all, told_of_pictures
from reslag_vae.evaluation.iteration import chunk_size, evaluating
from reslag_vae.evaluation.progress import Progress, silent
from reslag_vae.likelihoods.pixels import unit_interval

ODDEST = 5


class Report(NamedTuple):
    """What was done.

    Attributes:
        read: number of pictures that were read.
        unreadable: reason for each file that could not be, by its name.
        auroc: how well each score tells odd pictures, by its name.
        oddest: names of the pictures that score highest.
        notes: sentences on what is missing.
    """

    read: int
    unreadable: dict[str, str]
    auroc: dict[str, float]
    oddest: Sequence[str]
    notes: Sequence[str]


def apply(request: Request, inputs: Inputs | None, progress: Progress = silent) -> Report:
    """Do what a request asks for.

    Args:
        request: the request, whose options were checked.
        inputs: the pictures; None if none are read.
        progress: shows how far the work is.

    Raises:
        RunError: the model is damaged, or not one of this package.
        UserError: the model has no latents for what is asked for, no picture can be read, or a
            file cannot be written.
    """
    subject = read_subject(request)
    with evaluating(subject.model):
        given_to_all(subject.model, request.given)  # raises before anything is read
        report, latents, notes = Report(0, {}, {}, (), ()), None, []
        if inputs is not None:
            report, latents = read_pictures(request, inputs, subject, progress)
        if request.sample:
            notes = draw_samples(request, subject, latents, progress)
    report = report._replace(notes=[*report.notes, *notes])
    content = {"finished": True, "read": report.read, "unreadable": report.unreadable}
    content |= {"auroc": report.auroc, "notes": list(report.notes)}
    for output in request.folders:
        record(request, output, content)
    return report


class Consumers(NamedTuple):
    """What becomes of each batch of pictures.

    Attributes:
        functions: what each batch is given to.
        drawn: the reconstructions, if any.
        scores: the scores, if any.
        means: posterior means that are kept; none where no neighbours are asked for.
        latents: samples of the posteriors that are kept; none where no sampler is fitted to them.
        notes: sentences on what is missing.
    """

    functions: list[Callable[[Seen], None]]
    drawn: Reconstructions | None
    scores: Scores | None
    means: Spool
    latents: Spool
    notes: list[str]


def read_pictures(
    request: Request, inputs: Inputs, subject: Subject, progress: Progress
) -> tuple[Report, np.ndarray | None]:
    """Go through all pictures, batch by batch, and then through their codes.

    Returns:
        the report; and (N, d) samples of the posteriors if the sampler takes any.

    Raises:
        UserError: none of the pictures can be read, or nobody knows which value of theirs is white.
    """
    refuse_unknown_scale(subject, inputs.files, inputs.names)
    with ExitStack() as stack:
        parts = consumers_of(request, inputs, subject, stack)
        read, failures = go_through(request, inputs, subject, parts.functions, progress)
        means = parts.means.rows() if parts.means.count else None
        latents = parts.latents.rows() if parts.latents.count else None
    names, scores = inputs.names, parts.scores
    if parts.drawn is not None:
        parts.drawn.draw()
    if means is not None:
        files = [inputs.files[position] for position in read]
        own = [names[position] for position in read]
        write_neighbours(request, subject, files, own, means, progress)
    report = Report(
        read=len(read),
        unreadable={names[position]: reason for position, reason in failures.items()},
        auroc={} if scores is None else scores.auroc(),
        oddest=() if scores is None else scores.oddest(ODDEST),
        notes=[*inputs.notes, *subject.form.remarks, *parts.notes],
    )
    return report, latents


def consumers_of(request: Request, inputs: Inputs, subject: Subject, stack: ExitStack) -> Consumers:
    """Return what a request does with each batch of pictures; the stack closes its files."""
    model = subject.model
    means, latents = stack.enter_context(Spool()), stack.enter_context(Spool())
    parts = Consumers([], None, None, means, latents, [])
    if request.encode is not None:
        add = stack.enter_context(open_table(request.encode))
        parts.functions.append(lambda seen: add(seen.names, columns_of(seen.encoded.inferred)))
    if request.reconstruct is not None:
        mark = partial(begin, request, RECONSTRUCTIONS)
        drawn = Reconstructions(model, request.reconstruct, inputs.names, mark)
        parts = parts._replace(drawn=drawn)
    if request.score is not None:
        table = stack.enter_context(open_table(request.score))
        calibration = calibration_of(subject.folder, model, subject.objective, subject.best)
        scorer = scorer_of(model, subject.objective, calibration.variance)
        parts = parts._replace(
            scores=Scores(scorer, calibration, inputs.odd, table),
            notes=notes_on_scores(calibration, scorer),
        )
    if request.neighbours:
        parts.functions.append(keep_means(means))
    if request.fits:
        parts.functions.append(keep_latents(latents, request.seed))
    parts.functions.extend(own for own in (parts.drawn, parts.scores) if own is not None)
    return parts


def go_through(
    request: Request,
    inputs: Inputs,
    subject: Subject,
    consumers: Sequence[Callable[[Seen], None]],
    progress: Progress,
) -> tuple[list[int], dict[int, str]]:
    """Give each batch of pictures to the consumers.

    Returns:
        the numbers of the files that were read, and the reason for each that could not be.

    Raises:
        UserError: none of the pictures can be read, or the model is not told what it must be.
    """
    model, files, names, places = subject.model, inputs.files, inputs.names, inputs.places
    read: list[int] = []
    failures: dict[int, str] = {}
    size = chunk_size(model.dimensions, model.parameter.device)
    batches = read_batches(files, subject.decode, size, model.likelihood.binary)
    with progress("pictures", len(files)) as advance:
        for positions, pixels, failed in batches:
            failures |= failed
            if pixels is not None:
                images = unit_interval(pixels.to(model.parameter.device))
                own = [names[position] for position in positions]
                within = [places[position] for position in positions]
                told = told_of_pictures(model, images, within, request.given, subject.objective)
                seen = Seen(positions, own, pixels, images, encoded(told, images), told)
                for consume in consumers:
                    consume(seen)
                read += positions
            advance(len(positions) + len(failed))
    if not read:
        name, reason = names[0], failures[0]
        raise UserError(f"None of the {len(files)} pictures can be read, such as {name}: {reason}.")
    return read, failures
