"""The fully connected network of a second-stage VAE."""

import itertools

import torch
from torch import Tensor, nn

# Share of a network's usual first weights that the last hidden layer starts with.
NEAR_LINEAR = 0.1


class Perceptron(nn.Module):
    """Hidden layers with ReLU, and a last layer that takes the input beside the last of them.

    Args:
        inputs: number of inputs.
        hidden_features: widths of the hidden layers.
        outputs: number of outputs.
    """

    def __init__(
        self, inputs: int, hidden_features: list[int] | tuple[int, ...], outputs: int
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inner, outer in itertools.pairwise([inputs, *hidden_features]):
            layers += [nn.Linear(inner, outer), nn.ReLU()]
        self.hidden = nn.Sequential(*layers)
        self.last = nn.Linear(hidden_features[-1] + inputs, outputs)

    @torch.no_grad()
    def start_near(self, weights: Tensor) -> None:
        """Make the outputs nearly a linear map of the inputs: the hidden layers add little.

        Args:
            weights: (outputs, inputs) of the map.
        """
        self.last.bias.zero_()
        self.last.weight.mul_(NEAR_LINEAR)
        self.last.weight[:, -weights.shape[1] :] = weights

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (..., outputs) numbers of (..., inputs)."""
        outputs: Tensor = self.last(torch.cat([self.hidden(inputs), inputs], dim=-1))
        return outputs
