"""The prior of binary units that is a restricted Boltzmann machine."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reslag_vae.latents.base import Density, PosteriorDensity, Prior
from reslag_vae.latents.bernoulli import Bernoulli
from reslag_vae.latents.noise import categories
from reslag_vae.latents.products import product
from reslag_vae.options.kinds import Kind, whole

MOST_UNITS = 32
UNITS = Kind(
    f"a whole number from 1 to {MOST_UNITS}, since log Z is a sum over the 2^{MOST_UNITS // 2} "
    "states of one side (it follows network.units of network=shared, else network.latent_dim)",
    whole(1, MOST_UNITS).has,
)
# At a temperature of 0 the likeliest state is left.
LOWEST_TEMPERATURE = 1e-6


class BoltzmannMachine(NamedTuple):
    """The mass p(v, h) = exp(a·v + b·h + v·W h) / Z of n + m binary units, z = (v, h).

    Z is summed over all states of h; for each of them the units of v are independent. All of it is
    computed in the precision of its numbers, also under autocast.

    Attributes:
        biases: (n + m,), a and b.
        weights: (n, m), W.
        states: (2^m, m) zeros and ones, all states of h.
    """

    biases: Tensor
    weights: Tensor
    states: Tensor

    @property
    def fields(self) -> Tensor:
        """The (2^m, n) logits of v for each state of h."""
        return self.biases[: len(self.weights)] + product(self.states, self.weights.T)

    @property
    def log_masses(self) -> Tensor:
        """The (2^m,) logarithms of Z p(h) of each state of h."""
        own = product(self.states, self.biases[len(self.weights) :])
        return own + F.softplus(self.fields).sum(1)

    @property
    def mean(self) -> Tensor:
        """The (n + m,) probabilities of 1."""
        masses = self.log_masses.softmax(0)
        return torch.cat([product(masses, self.fields.sigmoid()), product(masses, self.states)])

    @property
    def variance(self) -> Tensor:
        """(n + m,) of each unit by itself."""
        return self.mean * (1 - self.mean)

    def score(self, latents: Tensor) -> Tensor:
        """Return the (B,) logarithms of Z p(z), which are linear in each unit of (B, d) latents."""
        first, second = torch.split(latents, list(self.weights.shape), dim=-1)
        return product(latents, self.biases) + (product(first, self.weights) * second).sum(-1)

    def log_prob(self, latents: Tensor) -> Tensor:
        """Return the (B,) log-mass of (B, d) latents of 0 and 1, in nats."""
        return self.score(latents) - self.log_masses.logsumexp(0)


class BoltzmannPrior(Prior):
    """A restricted Boltzmann machine of d binary units in two sides, with trained weights.

    As the discrete prior of a VAE: Vahdat et al. 2018, https://arxiv.org/abs/1802.04920. The log Z
    of a large machine must be estimated by samples. Here it is summed exactly over all states of
    the smaller side, so that the KL is exact, a bound stays a bound, and samples are independent.
    It starts near the even mass, and is trained by the KL to it: the loss must hold one.

    Args:
        latent_dim: d, the number of units, at most 32: (d + 1) / 2 of them, rounded down, in the
            first side.

    Raises:
        ValueError: there are more units.
    """

    name = "boltzmann"
    requires = frozenset({"rate", "binary_posterior"})
    provides = frozenset({"binary_prior"})
    states: Tensor

    def __init__(self, latent_dim: int) -> None:
        UNITS.require("prior.latent_dim", latent_dim)
        second = latent_dim // 2
        first = latent_dim - second
        super().__init__(latent_dim, noise_dim=1 + first)
        self.biases = nn.Parameter(torch.zeros(latent_dim))
        self.weights = nn.Parameter(0.01 * torch.randn(first, second))
        bits = torch.arange(2**second)[:, None] >> torch.arange(second)
        self.register_buffer("states", (bits & 1).to(torch.float32), persistent=False)

    @property
    def notes(self) -> dict[str, str]:
        first, second = self.weights.shape
        return {"p(z)": f"restricted Boltzmann machine of {first} + {second} binary units, learned"}

    def machine(self, temperature: float = 1.0) -> BoltzmannMachine:
        """Return the mass at a temperature, by which biases and weights are divided."""
        scale = 1 / max(temperature, LOWEST_TEMPERATURE)
        return BoltzmannMachine(scale * self.biases, scale * self.weights, self.states)

    def forward(self, context: Tensor | None = None) -> Density:
        return self.machine()

    def from_noise(
        self, noise: Tensor, temperature: float = 1.0, context: Tensor | None = None
    ) -> Tensor:
        """Return (B, d) samples of 0 and 1, each a function of its own row of noise.

        Args:
            noise: (B, noise_dim) standard normal numbers: the first picks the state of the second
                side, the others the values of the first side's units.
            temperature: of the Boltzmann machine: 0 gives its likeliest state.
            context: nothing that the machine depends on.
        """
        machine = self.machine(temperature)
        uniform = torch.special.ndtr(noise[:, 0].double())
        chosen = categories(machine.log_masses.double().softmax(0), uniform)
        first = Bernoulli(machine.fields[chosen]).rsample(noise[:, 1:])
        return torch.cat([first, machine.states[chosen]], dim=1)

    def kl(self, posterior: PosteriorDensity, context: Tensor | None = None) -> Tensor | None:
        """Return (B, d) numbers whose sum over units is the KL(q || p) in nats.

        Each is the KL to the unit's own marginal; what the units' dependence adds or takes is
        spread evenly over them. The sum is exact, because the expected energy of independent units
        is the energy of their means.

        Args:
            posterior: q; without binary units there is no closed form, and the result is None.
            context: nothing that the machine depends on.
        """
        if not isinstance(posterior, Bernoulli):
            return None
        machine, means = self.machine(), posterior.mean
        negative_entropies = means * posterior.logits - F.softplus(posterior.logits)
        scores = machine.score(means) - machine.log_masses.logsumexp(0)
        tiny = torch.finfo(means.dtype).eps
        marginal = machine.mean.clamp(tiny, 1 - tiny).logit()
        own = negative_entropies - (means * marginal - F.softplus(marginal))
        rest = negative_entropies.sum(1) - scores - own.sum(1)
        return own + rest[:, None] / self.latent_dim
