"""The encoder and the decoder of a model as ONNX graphs, compared with PyTorch."""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from reslag_vae import __version__
from reslag_vae._runtime.errors import UserError, first_line
from reslag_vae._runtime.packages import is_installed
from reslag_vae.latents.inferred import Inferred, joined
from reslag_vae.likelihoods.pixels import WHITE_FROM
from reslag_vae.models import GenerativeModel
from reslag_vae.runs.exported import DECODER_FILE, ENCODER_FILE

# Largest difference from PyTorch, of numbers of at most 1, and of larger ones as a share of these
TOLERANCE = 1e-3

# Sizes of the minibatches that are compared; a graph takes any
SIZES = (1, 5)


class Encoder(nn.Module):
    """The encoder of a model: (B, C, H, W) images in [0, 1] to (B, d) numbers.

    Args:
        model: the model.
    """

    def __init__(self, model: GenerativeModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return posterior means, and where q(z|x) is a Gaussian its standard deviations."""
        inferred = self.infer(images)
        means, log_variances = joined(inferred.means), inferred.log_variances
        return (means,) if log_variances is None else (means, (0.5 * log_variances).exp())

    def infer(self, images: Tensor) -> Inferred:
        """Return the posteriors, each given the means, or likelier values, of the levels above."""
        still = tuple(images.new_zeros(images.shape[0], d) for d in self.model.level_dims)
        return self.model.infer(images, still)


class Decoder(nn.Module):
    """The decoder of a model: (B, d) latents to the (B, C, H, W) means of p(x|z), in [0, 1].

    Args:
        model: the model.
    """

    def __init__(self, model: GenerativeModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, latents: Tensor) -> tuple[Tensor, ...]:
        """Return images."""
        return (self.model.image_of(latents),)


class Graphs(NamedTuple):
    """The graphs of a model.

    Attributes:
        files: content of each file by name.
        outputs: names of what the encoder returns.
        difference: largest difference from PyTorch, see `TOLERANCE`; None if it is not known.
    """

    files: dict[str, bytes]
    outputs: tuple[str, ...]
    difference: float | None


def graphs_of(model: GenerativeModel) -> Graphs:
    """Return the encoder and the decoder of a model as ONNX.

    They are compared with PyTorch where onnxruntime is installed.

    Args:
        model: the model, in evaluation mode on the CPU, its parameters without gradients.

    Raises:
        UserError: the model is conditional, it has no latents or its likelihood no mean; PyTorch
            cannot export it, or the graphs do something else.
    """
    refuse_meaningless(model)
    encoder, decoder = Encoder(model).eval(), Decoder(model).eval()
    images, latents = examples(model, 3)
    outputs = ("mean", "standard_deviation")[: len(encoder(images))]
    files = {
        ENCODER_FILE: graph(encoder, images, ("images", *outputs), notes(model)),
        DECODER_FILE: graph(decoder, latents, ("latents", "images"), notes(model)),
    }
    if not is_installed("onnxruntime"):
        return Graphs(files, outputs, None)
    found = []
    for size in SIZES:
        images, latents = examples(model, size)
        found.append(difference(ENCODER_FILE, files[ENCODER_FILE], encoder, images))
        found.append(difference(DECODER_FILE, files[DECODER_FILE], decoder, latents))
    return Graphs(files, outputs, max(found))


def described(graphs: Graphs, shape: tuple[int, int, int], binary: bool = False) -> str:
    """Return what a card says of a model's graphs.

    Args:
        graphs: the graphs.
        shape: (C, H, W) of its images.
        binary: whether their pixels must be 0 or 1.
    """
    returned = " and ".join(f"`{name}`" for name in graphs.outputs)
    sizes = " x ".join(map(str, shape))
    return (
        f"`{ENCODER_FILE}` takes `images`, float32 of B x {sizes}, {values_of(binary)}, and "
        f"returns {returned}; `{DECODER_FILE}` takes `latents` and returns `images`, the mean of "
        f"p(x|z). {compared(graphs)}"
    )


def values_of(binary: bool) -> str:
    """Return what the pixels of an encoder's images are, in words.

    A graph cannot refuse greys, as `GenerativeModel.encode` does where pixels must be 0 or 1.
    """
    if binary:
        return f"0 or 1 and no greys (1 of uint8 pixels from {WHITE_FROM} on, as `reslag apply`)"
    return "from 0 to 1 (uint8 pixels divided by 255)"


def compared(graphs: Graphs) -> str:
    """Return a sentence on how far a model's graphs agree with PyTorch."""
    if graphs.difference is None:
        return "They were not compared with PyTorch: onnxruntime is not installed."
    return f"The largest difference from PyTorch is {graphs.difference:.1g}."


def refuse_meaningless(model: GenerativeModel) -> None:
    """Refuse a model whose encoder or decoder is no function of images or latents.

    Raises:
        UserError: it is conditional, it has no latents, or its likelihood no mean.
    """
    if model.condition is not None:
        raise UserError(
            "--onnx: the model is conditional, and its graphs would not be told what it is told."
        )
    if not model.latent_dim:
        raise UserError("--onnx: the model has no latents, so it has no encoder and no decoder.")
    if not model.likelihood.has_mean:
        raise UserError(
            "--onnx: the model's images are samples, drawn pixel by pixel: there is no mean of "
            "p(x|z) that a decoder could return."
        )


def examples(model: GenerativeModel, count: int) -> tuple[Tensor, Tensor]:
    """Return (count, C, H, W) random images and (count, d) latents of the prior."""
    generator = torch.Generator().manual_seed(count)
    images = torch.rand(count, *model.image_shape, generator=generator)
    if model.likelihood.binary:
        images = images.round()
    return images, joined(model.sample_latents(count, generator))


def notes(model: GenerativeModel) -> dict[str, str]:
    """Return what the graphs say of themselves."""
    channels, height, width = model.image_shape
    return {
        "reslag_vae": __version__,
        "images": f"float32 (B, {channels}, {height}, {width}), "
        f"{values_of(model.likelihood.binary)}",
        "latents": f"float32 (B, {model.latent_dim}): posterior means, of all levels, top first",
    }


@torch.no_grad()
def graph(module: nn.Module, given: Tensor, names: Sequence[str], said: dict[str, str]) -> bytes:
    """Return a module as an ONNX graph that takes minibatches of any size.

    Args:
        module: the module, in evaluation mode.
        given: (B, ...) an example of what it takes, B at least 2.
        names: names of the input and of each output.
        said: names and values of the graph's metadata.

    Raises:
        UserError: PyTorch cannot export the module.
    """
    batch = torch.export.Dim("batch", min=1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of PyTorch, on itself
            # Strict, for without it `len(tensor)` is the example's for good.
            program = torch.export.export(
                module, (given,), dynamic_shapes=({0: batch},), strict=True
            )
            exported: Any = torch.onnx.export(
                program,
                (given,),
                dynamo=True,
                verbose=False,
                dynamic_shapes=({0: "batch"},),
            )
    except Exception as error:  # of a user's own modules, in any way
        kind = type(module).__name__.lower()
        raise UserError(f"--onnx: PyTorch cannot export the {kind}: {first_line(error)}") from None
    return serialized(exported.model, names, said)


def serialized(own: Any, names: Sequence[str], said: dict[str, str]) -> bytes:
    """Return a graph as bytes, without the paths of source files that PyTorch notes in it.

    Args:
        own: the graph, as PyTorch makes it.
        names: names of the input and of each output.
        said: names and values of the graph's metadata.
    """
    from onnxscript import ir

    # PyTorch's names may be those of an input or output.
    values = [value for node in own.graph.all_nodes() for value in node.outputs]
    for number, value in enumerate(values):
        value.name = f"value_{number}"
    for value in list(own.graph.initializers.values()):
        value.name = f"weight.{value.name}"
    for value, name in zip((*own.graph.inputs, *own.graph.outputs), names, strict=True):
        value.name = name
    for node in own.graph.all_nodes():
        node.metadata_props.clear()
    own.metadata_props.clear()
    own.metadata_props.update(said)
    return bytes(ir.to_proto(own).SerializeToString())


@torch.no_grad()
def difference(name: str, content: bytes, module: nn.Module, given: Tensor) -> float:
    """Return the largest difference between a graph and its module.

    Of numbers larger than 1 it is the difference as a share of these.

    Raises:
        UserError: it is above the tolerance.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: given.numpy()})
    pairs = zip(module(given), map(torch.from_numpy, found), strict=True)
    shares = [(ours - theirs).abs() / ours.abs().clamp_min(1) for ours, theirs in pairs]
    largest = max(float(own.max()) for own in shares)
    if not largest <= TOLERANCE:
        raise UserError(
            f"--onnx: {name} differs from PyTorch by {largest:.2g}, more than {TOLERANCE:g}."
        )
    return largest
