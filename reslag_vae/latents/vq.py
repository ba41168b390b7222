"""Vector quantisation: the codes of a codebook that is learned."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reslag_vae._runtime import collectives
from reslag_vae.latents.base import PosteriorDensity, straight_through
from reslag_vae.latents.codes import Coded, CodePosterior
from reslag_vae.options import require

# A code starts anew from an output of the encoder where its average use is below this share of an
# even one.
DEAD = 0.03
# Added to every code's use, so that none is divided by zero (van den Oord et al. 2017, appendix).
SMOOTHING = 1e-5


class VectorQuantised(CodePosterior):
    """The posterior whose code is the nearest of a codebook, at every position of a grid.

    van den Oord et al. 2017, https://arxiv.org/abs/1711.00937. The codebook is part of inference:
    an update of the encoder alone moves it, one of the decoder alone does not. It starts with the
    k-means of the untrained encoder's outputs, and then follows them: by `ema`, moving averages of
    the outputs that chose each code (appendix A.1), or by `loss`, the squared distance to them in
    the loss, never by both. A code that is hardly used starts anew from an output. All of it is
    computed in float32.

    Args:
        code_dim: numbers in the vector of a code.
        codes: K, the number of codes.
        commitment: beta, weight of the encoder's squared distance to its codes in the loss: a sum
            over positions, as the nats of an image are, where the paper has their mean.
        follows: how the codebook follows the encoder: `ema` or `loss`.
        decay: of the moving averages, also of those that find unused codes.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "vq"
    provides = CodePosterior.provides | {"codebook"}
    codebook: Tensor
    counts: Tensor
    sums: Tensor
    candidates: Tensor
    used: Tensor
    totals: Tensor

    def __init__(
        self,
        code_dim: int,
        codes: int = 512,
        commitment: float = 0.25,
        follows: str = "ema",
        decay: float = 0.99,
    ) -> None:
        super().__init__()
        sizes = {
            "code_dim": code_dim,
            "codes": codes,
            "commitment": commitment,
            "follows": follows,
            "decay": decay,
        }
        for option, value in sizes.items():
            require(f"posterior.{option}", value)
        self.code_dim, self.codes, self.clusters = code_dim, codes, codes
        self.commitment, self.follows, self.decay = commitment, follows, decay
        vectors = torch.randn(codes, code_dim)
        if follows == "loss":
            self.codebook = nn.Parameter(vectors)
        else:
            self.register_buffer("codebook", vectors)
        # What the latest minibatch says of each code: uses, and sum of the outputs that use it.
        self.register_buffer("counts", torch.zeros(codes), persistent=False)
        self.register_buffer("sums", torch.zeros(codes, code_dim), persistent=False)
        self.register_buffer("candidates", vectors.clone(), persistent=False)
        # Moving averages of these.
        self.register_buffer("used", torch.ones(codes))
        self.register_buffer("totals", vectors.clone())

    @property
    def notes(self) -> dict[str, str]:
        return {
            "q(z|x)": f"one of {self.codes} codes of {self.code_dim} numbers at each position, "
            f"the nearest; the codebook follows by {self.follows}",
            "commitment": f"{self.commitment:g} · squared distances of encoder and codes, "
            "a penalty of training",
        }

    def forward(self, features: Tensor) -> PosteriorDensity:
        encoded = self.at_positions(features).to(self.codebook.dtype)
        with torch.no_grad():
            indices = self.indices_of(encoded)
        vectors = self.vectors_of(indices)
        if self.training:
            self._note(encoded.detach(), indices)
        latents = straight_through(vectors.detach().to(features.dtype), self.at_positions(features))
        return Coded(self.as_latents(latents), indices, features, self.codes)

    def penalties(self, density: PosteriorDensity) -> dict[str, Tensor]:
        assert isinstance(density, Coded)
        encoded = self.at_positions(density.encoded).to(self.codebook.dtype)
        vectors = self.vectors_of(density.indices)
        found = {"commitment": self.commitment * distances(encoded, vectors.detach())}
        if self.follows == "loss":
            found["codebook"] = distances(vectors, encoded.detach())
        return found

    def indices_of(self, vectors: Tensor) -> Tensor:
        # Half precision would lose most of the codes.
        with torch.autocast(vectors.device.type, enabled=False):
            book = self.codebook.to(vectors.dtype)
            # From the middle of the codes: far from 0 the squares would hide their differences.
            middle = book.mean(0)
            book, products = book - middle, (vectors - middle) @ (book - middle).T
            return (book.square().sum(1) - 2 * products).argmin(-1)

    def vectors_of(self, indices: Tensor) -> Tensor:
        return F.embedding(indices, self.codebook)

    @torch.no_grad()
    def _note(self, encoded: Tensor, indices: Tensor) -> None:
        """Note which outputs have chosen which code."""
        rows, chosen = encoded.flatten(0, 1), indices.flatten()
        ones = torch.ones_like(chosen, dtype=rows.dtype)
        self.counts.zero_().index_add_(0, chosen, ones)
        self.sums.zero_().index_add_(0, chosen, rows)
        # Evenly spaced outputs, for codes that start anew.
        places = torch.arange(self.codes, device=rows.device) * len(rows) // self.codes
        self.candidates.copy_(rows[places])

    @torch.no_grad()
    def end_update(self) -> None:
        counts = collectives.mean(self.counts) * collectives.count()
        sums = collectives.mean(self.sums) * collectives.count()
        self.used.lerp_(counts, 1 - self.decay)
        self.totals.lerp_(sums, 1 - self.decay)
        total = self.used.sum()
        if self.follows == "ema":
            smoothed = (self.used + SMOOTHING) / (total + self.codes * SMOOTHING) * total
            self.codebook.copy_(self.totals / smoothed[:, None])
        even = total / self.codes
        dead = (self.used < DEAD * even)[:, None]
        self.codebook.copy_(torch.where(dead, self.candidates, self.codebook))
        self.totals.copy_(torch.where(dead, self.candidates * even, self.totals))
        self.used.copy_(torch.where(dead[:, 0], even, self.used))
        # Each process has candidates of its own.
        collectives.copy_from_first(self)

    @torch.no_grad()
    def start(self, centres: Tensor) -> None:
        self.codebook.copy_(centres)
        self.totals.copy_(centres)
        self.used.fill_(1)


def distances(vectors: Tensor, others: Tensor) -> Tensor:
    """Return the (B,) sums of squared distances of (B, N, code_dim) vectors."""
    return (vectors - others).square().flatten(1).sum(1)
