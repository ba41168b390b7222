"""Print what a machine is and has: versions, its GPU, and PyTorch's settings.

Usage: python -m benchmarks.gpu_machine
"""

import os
import shutil
import subprocess
from importlib.util import find_spec

import torch

from reslag_vae.runs import provenance

OPTIONAL = (
    "hydra",
    "omegaconf",
    "antlr4",
    "yaml",
    "filelock",
    "zuko",
    "torchvision",
    "wandb",
    "pythae",
    "triton",
)


def main() -> None:
    """Print it."""
    print(f"commit: {provenance.commit()}")
    for name, version in provenance.versions().items():
        print(f"{name}: {version}")
    for name in OPTIONAL:
        found = find_spec(name)
        print(f"{name}: {'missing' if found is None else found.origin}")
    print(f"cores: {os.cpu_count()}, threads: {torch.get_num_threads()}")
    print(f"C++ compiler: {shutil.which('g++') or shutil.which('c++') or 'missing'}")
    print(f"TF32 in products: {torch.get_float32_matmul_precision()}, in convolutions: ", end="")
    print(torch.backends.cudnn.allow_tf32)
    print(f"cudnn.benchmark: {torch.backends.cudnn.benchmark}")
    if torch.cuda.is_available():
        print_gpu()
    print(torch.__config__.show())


def print_gpu() -> None:
    """Print what the GPU is and has."""
    properties = torch.cuda.get_device_properties(0)
    free, total = torch.cuda.mem_get_info()
    print(f"GPU: {properties.name}, {properties.multi_processor_count} multiprocessors")
    print(f"free memory: {free / 1e9:.1f} of {total / 1e9:.1f} GB")
    # A function of PyTorch's without annotations.
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    print(f"CUDA {torch.version.cuda}, cuDNN {cudnn}")
    if shutil.which("nvidia-smi"):
        print(subprocess.run(["nvidia-smi"], capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
