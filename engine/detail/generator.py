"""The detail network: a picture of the skin in, its displacement out; fast on a processor, in half precision on a GPU."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

import numpy as np

from engine.arrays import FloatArray, check
from engine.detail import generator_layers as layers
from engine.detail.generator_winograd import Winograd
from engine.errors import GpuError, ModelFileError
from engine.packs.facescape.checkpoint import GeneratorShape, read_architecture

if TYPE_CHECKING:
    import torch

_EDGE_STEPS = 1.5
"""Time of a layer outside the residual blocks over that of a convolution inside, for the progress report only."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class DetailNetwork(Protocol):
    """One loaded network."""

    shape: GeneratorShape

    def steps(self, pictures: FloatArray) -> Generator[float, None, FloatArray]:
        """Run the network, layer by layer.

        Args:
            pictures: (N, C, H, W) float32 in [-1, 1]; H and W multiples of 2 to the power of ``shape.down``.

        Yields:
            The share that is done, in (0, 1); the place to stop early.

        Returns:
            (N, H, W) float32 in [-1, 1].

        Raises:
            ValueError: pictures of another size.
        """
        ...


def run(network: DetailNetwork, pictures: FloatArray) -> FloatArray:
    """The result of ``network.steps`` without its reports."""
    steps = network.steps(pictures)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: FloatArray = done.value
            return result


def load_network(path: Path, device: str = "auto") -> DetailNetwork:
    """The network of a safetensors file; on the processor its weights stay on disk until they are used.

    Args:
        path: as the import wrote it.
        device: 'cpu', 'cuda' or 'cuda:N', or 'auto': a CUDA device where there is one, else the processor.

    Raises:
        ModelFileError: the file is missing, damaged or of another network.
        GpuError: the CUDA device that was asked for is not there or too small.
    """
    import torch

    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.startswith("cuda") and int(device.partition(":")[2] or 0) >= cards:
        raise GpuError(
            f"There is no CUDA graphics card {device.partition(':')[2] or 0} on this computer that torch can use.",
            "Compute on the processor with --gpu_ids -1.",
        )
    weights = read_weights(path)
    shape = read_architecture({key: tuple(value.shape) for key, value in weights.items()})
    if device == "cpu" or not cards:
        return ProcessorNetwork(weights, shape)
    from engine.detail.generator_cuda import CudaNetwork

    return CudaNetwork(weights, shape, "cuda" if device == "auto" else device)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Tensors by key, mapped from the file.

    Raises:
        ModelFileError: the file is missing, damaged, or holds something else than float32.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    hint = "Import the FaceScape files again."
    try:
        with safe_open(path, framework="pt") as file:
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - the file is no mapping
    except (OSError, SafetensorError) as error:
        raise ModelFileError(f"The detail network {path.name} is missing or damaged.", hint) from error
    if others := [key for key, value in weights.items() if value.dtype != torch.float32]:
        raise ModelFileError(f"The detail network {path.name} is not float32 ({others[0]}).", hint)
    return weights


def check_pictures(pictures: FloatArray, shape: GeneratorShape) -> None:
    """Raise ValueError unless the network can take these pictures."""
    _, _, H, W = check("pictures", pictures, (None, shape.input_channels, None, None)).shape
    unit = 2**shape.down
    if H % unit or W % unit or min(H, W) < 2 * unit:
        raise ValueError(f"pictures: expected sides that are multiples of {unit}, two at least, got {H} x {W}")


def layer_names(shape: GeneratorShape) -> tuple[list[str], list[str], list[str], str]:
    """Keys of the halving, the residual (two a block) and the doubling layers, and of the last one."""
    halving = [f"model.{4 + 3 * i}" for i in range(shape.down)]
    first = 4 + 3 * shape.down
    residual = [f"model.{first + i}.conv_block.{part}" for i in range(shape.blocks) for part in (1, 5)]
    first += shape.blocks
    doubling = [f"model.{first + 3 * i}" for i in range(shape.down)]
    return halving, residual, doubling, f"model.{first + 3 * shape.down + 1}"


def without_gradients(step: Callable[_P, _T]) -> Callable[_P, _T]:
    """The same step under torch's inference mode; on steps, not around generators, where it would leak to the caller."""

    @functools.wraps(step)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        import torch

        with torch.inference_mode():
            return step(*args, **kwargs)

    return guarded


class ProcessorNetwork:
    """The network in float32 on the processor.

    Biases before a normalisation are left out: it takes them away again.

    Source:
        Global generator of pix2pixHD (Wang et al., CVPR 2018).
    """

    def __init__(self, weights: Mapping[str, torch.Tensor], shape: GeneratorShape) -> None:
        import torch

        self.shape = shape
        self._halving, self._residual, self._doubling, self._last = layer_names(shape)
        self._weights = dict(weights)
        for name in ("model.1", *self._halving, *self._doubling):  # small beside the residual ones
            key = f"{name}.weight"
            self._weights[key] = weights[key].contiguous(memory_format=torch.channels_last)

    def steps(self, pictures: FloatArray) -> Generator[float, None, FloatArray]:
        """See ``DetailNetwork.steps``."""
        check_pictures(pictures, self.shape)
        meter = _Meter(len(pictures) * (_EDGE_STEPS * 2 * (1 + self.shape.down) + len(self._residual)))
        results = np.empty((len(pictures), *pictures.shape[2:]), np.float32)
        winograd = self._winograd(pictures.shape[2], pictures.shape[3])
        for picture, result in zip(pictures, results, strict=True):
            hidden = self._begin(picture)
            for name in self._halving:
                yield meter.advance(_EDGE_STEPS)
                hidden = self._halve(hidden, name)
            yield meter.advance(_EDGE_STEPS)
            for first, second in zip(self._residual[::2], self._residual[1::2], strict=True):
                inner = self._convolve(winograd, hidden, first)
                yield meter.advance(1.0)
                self._convolve_and_add_(winograd, inner, second, hidden)
                yield meter.advance(1.0)
            for name in self._doubling:
                hidden = self._double(hidden, name)
                yield meter.advance(_EDGE_STEPS)
            result[...] = self._end(hidden)
            yield meter.advance(_EDGE_STEPS)
        return results

    @without_gradients
    def _winograd(self, height: int, width: int) -> Winograd:
        scale = 2**self.shape.down
        return Winograd(height // scale, width // scale, self.shape.width * scale)

    @without_gradients
    def _begin(self, picture: FloatArray) -> torch.Tensor:
        import torch

        return layers.normalize_(layers.convolve_first(torch.tensor(picture), self._kernels("model.1")), relu=True)

    @without_gradients
    def _halve(self, hidden: torch.Tensor, name: str) -> torch.Tensor:
        return layers.normalize_(layers.halve(hidden, self._kernels(name)), relu=True)

    @without_gradients
    def _convolve(self, winograd: Winograd, hidden: torch.Tensor, name: str) -> torch.Tensor:
        return layers.normalize_(winograd.convolve(hidden, self._kernels(name)), relu=True)

    @without_gradients
    def _convolve_and_add_(self, winograd: Winograd, inner: torch.Tensor, name: str, hidden: torch.Tensor) -> None:
        hidden += layers.normalize_(winograd.convolve(inner, self._kernels(name)), relu=False)

    @without_gradients
    def _double(self, hidden: torch.Tensor, name: str) -> torch.Tensor:
        return layers.normalize_(layers.double(hidden, self._kernels(name)), relu=True)

    @without_gradients
    def _end(self, hidden: torch.Tensor) -> FloatArray:
        result = layers.convolve_last(hidden, self._kernels(self._last), self._weights[f"{self._last}.bias"])
        return np.asarray(result.numpy(), np.float32)

    def _kernels(self, name: str) -> torch.Tensor:
        return self._weights[f"{name}.weight"]


class _Meter:
    """Adds up the work that is done."""

    def __init__(self, total: float) -> None:
        self._total = total
        self._done = 0.0

    def advance(self, work: float) -> float:
        """Share of the whole that is done after ``work`` more."""
        self._done += work
        return min(self._done / self._total, 1.0)
