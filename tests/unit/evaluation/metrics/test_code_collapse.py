"""Codes that nobody uses, and codes that the decoder ignores."""

import pytest
import torch
from torch import Tensor

from reslag_vae.evaluation.codes import encode
from reslag_vae.evaluation.metrics.code_collapse import diagnose_codes, exchanges, ignored_codes
from reslag_vae.latents import (
    FiniteScalarQuantised,
    LatentStatistics,
    UniformCodes,
    VectorQuantised,
)
from reslag_vae.likelihoods import Bernoulli, FixedVariance, Gaussian, Likelihood, PixelCNN
from reslag_vae.models import FlatModel, TwoCodesModel
from reslag_vae.networks import GridNetwork, TwoGridNetwork

SHAPE = (1, 8, 8)


def coded(likelihood: Likelihood | None = None) -> FlatModel:
    """Of 5 codes of 2 numbers at 4 positions."""
    own = Gaussian(FixedVariance(0.01)) if likelihood is None else likelihood
    network = GridNetwork(
        SHAPE, 2, [4, 4], [1, 1], parameters_per_channel=own.parameters_per_channel
    )
    return FlatModel(network, own, VectorQuantised(2, codes=5), UniformCodes()).eval()


def images() -> Tensor:
    return (torch.rand(40, *SHAPE) > 0.5).float()


def spread(model: FlatModel) -> None:
    """Let the encoder use all codes: they stand where its vectors do."""
    with torch.no_grad():
        vectors = model.vectors_to_start_from(images())
        for posterior, own in vectors:
            posterior.start(own[torch.arange(posterior.clusters) * 7])
        for parameter in model.network.generative.parameters():
            parameter.mul_(4)


@pytest.mark.parametrize("masses", [False, True])
def test_codes_that_the_decoder_ignores_are_told(masses: bool) -> None:
    model = coded(PixelCNN(SHAPE, layers=1, channels=4) if masses else None)
    spread(model)
    codes = encode(model, images())
    used = int((codes.usage[0] > 0).sum())
    assert used > 2
    told = diagnose_codes(model, codes, None)
    assert "ignored" not in told.verdict
    assert f"({used} of 5 codes used" in told.verdict

    with torch.no_grad():
        for parameter in model.network.generative.parameters():
            parameter.zero_()
    told = diagnose_codes(model, codes, None)
    assert told.verdict.endswith("and COLLAPSED: the decoder ignores which codes they are")


def test_a_code_that_one_of_many_images_has_is_asked_for_too() -> None:
    model = coded()
    spread(model)
    with torch.no_grad():
        for parameter in model.network.generative.parameters():
            parameter.zero_()
    few = encode(model, images())
    first = model.posterior.codes_at(few.latents)  # type: ignore[operator]
    rare = [row for row in range(len(first)) if len(first[row].unique()) > 1]
    # All images but the last have one code.
    same = first[rare[0], 0].expand(first.shape[1])
    indices = torch.cat([same.expand(300, -1), first[rare[:1]]])
    latents = model.posterior.latents_of(indices)  # type: ignore[operator]
    usage = torch.bincount(indices.flatten(), minlength=5)
    codes = few._replace(means=latents, latents=latents, usage=(usage,))
    told = diagnose_codes(model, codes, None)
    assert told.verdict.endswith("and COLLAPSED: the decoder ignores which codes they are")


def test_a_code_that_decodes_like_the_others_is_ignored() -> None:
    """Exchanges are for another code in use, so that one must be like all others."""
    model = coded()
    spread(model)
    latents = encode(model, images()).latents
    assert isinstance(model.posterior, VectorQuantised)
    found = model.posterior.codes_at(latents).unique()

    class Apart(FlatModel):
        """A decoder that sees but how often there is the first code in use."""

        def parameters_of(self, given: tuple[Tensor, ...]) -> Tensor:
            seen = self.posterior.codes_at(given[0]) == found[0]  # type: ignore[operator]
            return seen.float().mean(1).view(-1, 1, 1, 1).expand(-1, *SHAPE)

    model.__class__ = Apart
    (ignored,) = ignored_codes(model, latents, None)
    assert found[0] not in ignored
    assert set(ignored.tolist()) <= set(found.tolist())


def test_an_exchange_changes_one_position_to_another_code_in_use() -> None:
    import numpy as np

    posterior = FiniteScalarQuantised(2, [3, 2])
    indices = torch.tensor([[0, 1, 1, 4], [1, 1, 4, 0], [1, 1, 1, 1]])
    latents = posterior.latents_of(indices)
    exchange = exchanges(posterior, latents, np.random.default_rng(0))
    after = posterior.codes_at(exchange.others)
    changed = after != indices[exchange.images]

    assert exchange.codes.bincount().tolist() == [2, 4, 0, 0, 2]
    assert changed.sum(1).tolist() == [1] * 8
    assert torch.equal(indices[exchange.images][changed], exchange.codes)
    assert set(after[changed].tolist()) <= {0, 1, 4}
    assert not torch.equal(after[changed], exchange.codes)
    alone = exchanges(
        posterior, posterior.latents_of(torch.ones(2, 4).long()), np.random.default_rng(0)
    )
    assert len(alone.codes) == 0


def test_a_single_code_has_collapsed_and_is_not_asked() -> None:
    model = coded()
    assert isinstance(model.posterior, VectorQuantised)
    model.posterior.codebook[1:] = 100
    codes = encode(model, images())
    assert int((codes.usage[0] > 0).sum()) == 1
    assert diagnose_codes(model, codes, None).verdict.startswith(
        "COLLAPSED: the code says nothing of the image"
    )


def test_codes_that_differ_between_positions_alone_have_collapsed() -> None:
    model = coded()
    spread(model)
    same, statistics = images()[:1].expand(40, *SHAPE), LatentStatistics()
    codes = encode(model, same)
    used = int((codes.usage[0] > 0).sum())
    assert used > 1
    told = f"COLLAPSED: the code says nothing of the image ({used} of 5 codes used, perplexity"
    verdict = diagnose_codes(model, codes, None).verdict
    assert verdict.startswith(told)
    assert "the same for every image)" in verdict
    with torch.no_grad():
        for part in (same[:30], same[30:]):
            inferred = model.infer(part)
            statistics.add(inferred, torch.zeros(len(part)))
    assert statistics.verdict().startswith(told)


def test_the_levels_are_asked_one_by_one() -> None:
    network = TwoGridNetwork(SHAPE, 2, [4, 4], [1, 1])
    posteriors = VectorQuantised(2, codes=6), VectorQuantised(2, codes=4)
    priors = UniformCodes(), UniformCodes()
    model = TwoCodesModel(network, Bernoulli(), *posteriors, *priors).eval()
    with torch.no_grad():
        for posterior, own in model.vectors_to_start_from(images()):
            posterior.start(own[torch.arange(posterior.clusters) * 3])
        weights = model.network.generative.to_image[0].weight
        weights[:, :2] = 0  # what it sees of the top
        weights[:, 2:] *= 30
    codes = encode(model, images())
    top, bottom = ignored_codes(model, codes.latents, None)
    assert top.tolist() == (codes.usage[0] > 0).nonzero()[:, 0].tolist()
    assert len(bottom) < int((codes.usage[1] > 0).sum())
    above, below = diagnose_codes(model, codes, None).verdict.split("; bottom: ")
    assert above.endswith("the decoder ignores which codes they are")
    assert not below.endswith("the decoder ignores which codes they are")
